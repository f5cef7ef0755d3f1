namespace Graceful.Core.Tests.Simulation

open System
open Graceful.Core

/// How a client behaves: polite, busy for ever, or silent, two kinds of each.
[<Struct>]
type Manner =
    /// Asks for what it wants, then goes or waits; closes when it is closed.
    | Polite
    /// As `Polite`, but may be gone in the middle of a request.
    | Leaver
    /// Busy: request after request, while nobody tells it not to.
    | Endless
    /// Busy: its first request never ends.
    | Stuck
    /// Silent: half a request head, and not another byte, whatever it sees.
    | HalfHead
    /// Silent: asks, and never reads the answer, so that bytes wait to be sent.
    | Mute

[<Struct>]
type Protocol =
    | OneAtATime
    /// Requests overlap, and the notice is a GOAWAY.
    | Overlapping
    /// Its first request may become a connection of another protocol.
    | Upgrades
    /// A socket of our own: nobody counts its requests or can tell it anything; somebody marks it in use and idle.
    | Raw

/// Where a connection is between the client's connect and its leaving the gate.
type Place =
    | Away = 0uy
    | Queued = 1uy
    /// In the table, and not through the gate.
    | Registered = 2uy
    /// Through the gate, and still to be stepped with `Retire`.
    | Entering = 3uy
    | Inside = 4uy
    | Left = 5uy

/// How far the server is with a request.
type Request =
    | Absent = 0uy
    | Arrived = 1uy
    | Begun = 2uy
    | HeadOut = 3uy

module Time =
    [<Literal>]
    let Never = Int32.MaxValue

    /// It has been, and will not be again.
    [<Literal>]
    let Done = 0x7FFFFFFE

/// Room for one request. All of a connection's are in one array: what is looked at together lies together.
[<Struct; NoEquality; NoComparison>]
type Slot =
    { mutable Due: int
      mutable ArrivedTick: int
      mutable Request: Request
      /// It began after the notice: its response must carry it.
      mutable Owed: bool }

/// One connection, both ends of it. Times are milliseconds of the virtual clock.
[<Sealed; AllowNullLiteral>]
type Peer(number: int) =
    member _.Number = number
    member val Slots: Slot[] = Array.zeroCreate 3

    [<DefaultValue>]
    val mutable Manner: Manner

    [<DefaultValue>]
    val mutable Protocol: Protocol

    [<DefaultValue>]
    val mutable Mode: Mode

    [<DefaultValue>]
    val mutable Wanted: int

    /// Its requests keep the server from being idle: it is no probe.
    [<DefaultValue>]
    val mutable Counts: bool

    /// How many requests the server works on, counted without asking the word.
    [<DefaultValue>]
    val mutable AtWork: int

    /// How many requests were sent and not answered.
    [<DefaultValue>]
    val mutable Outstanding: int

    [<DefaultValue>]
    val mutable Place: Place

    [<DefaultValue>]
    val mutable Word: Connection

    /// It was told at the gate.
    [<DefaultValue>]
    val mutable MustRetire: bool

    /// When a byte last went either way, or when it was accepted.
    [<DefaultValue>]
    val mutable LastByte: int

    /// Bytes wait to be sent, and the client does not read.
    [<DefaultValue>]
    val mutable Pending: bool

    [<DefaultValue>]
    val mutable ClientDue: int

    [<DefaultValue>]
    val mutable EnterDue: int

    [<DefaultValue>]
    val mutable GoAwayDue: int

    /// When the client sees our close.
    [<DefaultValue>]
    val mutable FinDue: int

    /// When the server sees the end of the transport.
    [<DefaultValue>]
    val mutable EndDue: int

    [<DefaultValue>]
    val mutable NoticeSeen: int

    /// Stepped with `Retire` while it was usable.
    [<DefaultValue>]
    val mutable Noticed: bool

    [<DefaultValue>]
    val mutable Told: bool

    [<DefaultValue>]
    val mutable WasHijacked: bool

    [<DefaultValue>]
    val mutable ServerClosed: bool

    [<DefaultValue>]
    val mutable WasReset: bool

    [<DefaultValue>]
    val mutable ClientLeft: bool

    [<DefaultValue>]
    val mutable Hastened: bool

    /// The sweep's last look at it: when, and how quiet it was.
    [<DefaultValue>]
    val mutable LookTick: int

    [<DefaultValue>]
    val mutable LookQuiet: int

    /// When its last response head went out.
    [<DefaultValue>]
    val mutable AnswerTick: int

    [<DefaultValue>]
    val mutable Reaping: bool

    [<DefaultValue>]
    val mutable Shedding: bool

    member p.Begin(manner, protocol, mode, counts, wanted, comes) =
        for i in 0..2 do
            p.Slots[i].Request <- Request.Absent
            p.Slots[i].Due <- Time.Never
            p.Slots[i].Owed <- false
        p.Manner <- manner
        p.Protocol <- protocol
        p.Mode <- mode
        p.Wanted <- wanted
        p.Counts <- counts
        p.AtWork <- 0
        p.Outstanding <- 0
        p.Place <- Place.Away
        p.Word <- Connection.initial
        p.LastByte <- 0
        p.ClientDue <- comes
        p.EnterDue <- Time.Never
        p.GoAwayDue <- Time.Never
        p.FinDue <- Time.Never
        p.EndDue <- Time.Never
        p.NoticeSeen <- Time.Never
        p.Pending <- false
        p.MustRetire <- false
        p.Noticed <- false
        p.Told <- false
        p.WasHijacked <- false
        p.ServerClosed <- false
        p.WasReset <- false
        p.ClientLeft <- false
        p.Hastened <- false
        p.LookTick <- 0
        p.LookQuiet <- 0
        p.AnswerTick <- 0
        p.Reaping <- false
        p.Shedding <- false

    member p.InTable = p.Place >= Place.Registered && p.Place <= Place.Inside

    member p.SlotCount = if p.Protocol = Overlapping then 3 else 1

    member p.Arrives i =
        p.Slots[i].Request <- Request.Arrived
        p.Outstanding <- p.Outstanding + 1

    member p.Starts i =
        p.Slots[i].Request <- Request.Begun
        p.AtWork <- p.AtWork + 1

    /// Answered, or cut.
    member p.IsOver i =
        if p.Slots[i].Request >= Request.Begun then p.AtWork <- p.AtWork - 1
        p.Outstanding <- p.Outstanding - 1
        p.Slots[i].Request <- Request.Absent
        p.Slots[i].Due <- Time.Never

    /// When anything next happens to it.
    member p.NextAt =
        let mutable next = p.ClientDue
        if p.Place = Place.Registered || p.Place = Place.Entering then
            next <- min next p.EnterDue
        elif p.Place = Place.Inside then
            next <- min (min next p.EndDue) (min p.GoAwayDue p.FinDue)
            for i in 0 .. p.SlotCount - 1 do
                next <- min next p.Slots[i].Due
        next
