namespace Graceful.Core.Tests.Simulation

open System
open System.Collections.Generic
open Graceful.Core
open Graceful.Core.Tests

/// A rule of the project does not hold in this life.
exception Broken of reason: string

/// A mistake in an adapter, made on purpose, to see that the simulation would notice.
type Planted =
    | NoMistake = 0
    /// Sweeps the table before it changes the gate.
    | SweepBeforeGate = 1
    /// Enters the gate before it is in the table.
    | EnterBeforeRegister = 2
    /// Says that the listeners are closed while somebody accepted is not through the gate.
    | ClosedTooSoon = 3
    /// Forgets the notice on a response head.
    | HeadWithoutNotice = 4
    /// Hears no bytes, and takes every connection for quiet.
    | DeafToBytes = 5

/// What happened in all lives so far, so that nobody trusts a simulation in which nothing happens.
[<Sealed>]
type Tally() =
    member val Events = 0L with get, set
    member val Served = 0L with get, set
    member val Told = 0L with get, set
    member val Reaped = 0L with get, set
    member val Hastened = 0L with get, set
    member val Hijacked = 0L with get, set
    member val RacedTheClose = 0L with get, set
    member val CutAfterTheLook = 0L with get, set
    member val Resets = 0L with get, set
    member val Refused = 0L with get, set
    member val AdmittedRetiring = 0L with get, set
    member val Forced = 0L with get, set
    member val HandedOver = 0L with get, set
    member val IdledOut = 0L with get, set
    member val Clean = 0L with get, set

/// Everything that the actors of one life share: the clock, the table, the gate, and the letters to the mailbox.
[<Sealed>]
type World(choices: Choices, tally: Tally) =
    let peers = Array.init 8 Peer
    let lines = List<string>()

    member _.Choices = choices
    member _.Tally = tally
    member _.Peers = peers
    member val Count = 0 with get, set
    member val Planted = Planted.NoMistake with get, set
    member val Now = 0 with get, set
    /// How many micro-steps there were: a moment finer than the clock.
    member val Tick = 0 with get, set
    member val Gate = Gate.initial with get, set
    /// Who is inside, counted without asking the gate.
    member val Inside = 0 with get, set
    member val Emptied = 0 with get, set
    member val Quiet = 0 with get, set
    member val Forced = false with get, set
    member val LastBusy = 0 with get, set
    /// Everybody inside was stepped with `Retire`, and nobody may come in without.
    member val EverybodyKnows = false with get, set
    member val Letters = Queue<Event>() with get
    member val MailDue = Time.Never with get, set
    member val Tracing = false with get, set
    member _.Lines = lines

    member w.Say(text: string) = lines.Add $"%5d{w.Now} ms  {text}"

    member w.Break reason =
        if w.Tracing then w.Say("BROKEN: " + reason)
        raise (Broken reason)

    member _.Pick bound = choices.Next bound

    /// A moment up to `bound - 1` from now.
    member w.Soon bound = w.Now + choices.Next bound

    member w.Post event =
        w.Letters.Enqueue event
        w.MailDue <- min w.MailDue (w.Soon 2)

    member w.StepGate event =
        let struct (next, effect) = Gate.step event w.Gate
        w.Gate <- next
        tally.Events <- tally.Events + 1L
        if w.Tracing then w.Say $"gate: %A{event} -> %A{effect}, %d{Gate.inside next} inside"
        if effect = Emptied then
            w.Emptied <- w.Emptied + 1
            if w.Emptied > 1 then w.Break "Emptied happened twice"
            if w.Inside <> 0 then w.Break "Emptied while somebody is inside"
            w.Post GateEmptied
        effect

    /// Steps a connection, and obeys.
    member w.Happen(p: Peer, event) =
        let before = Connection.phase p.Word
        let struct (next, effect) = Connection.step event p.Word
        p.Word <- next
        tally.Events <- tally.Events + 1L
        if before <> Idle && before <> Closed then w.LastBusy <- w.Now
        if w.Tracing then
            let phase, inFlight = Connection.phase next, Connection.inFlight next
            w.Say $"connection {p.Number}: %A{event} -> %A{phase}, %d{inFlight} in flight, %A{effect}"
        match effect with
        | Nothing
        | BecameActive
        | BecameIdle
        | BecameHijacked -> ()
        | AskToClose -> w.Ask p
        | Close -> w.Close p
        | Reset ->
            if not w.Forced then w.Break "a connection was reset though nobody forced"
            if p.WasReset then w.Break "a connection was reset twice"
            p.WasReset <- true
            tally.Resets <- tally.Resets + 1L
            p.EndDue <- w.Soon 3
        | LeaveGate ->
            if p.Place <> Place.Inside then w.Break "a connection left twice"
            p.Place <- Place.Left
            w.Inside <- w.Inside - 1
            w.StepGate Leave |> ignore

    member private w.Ask p =
        if Connection.phase p.Word = Hijacked then
            // It is asked in its own protocol; whoever is polite goes then.
            if p.Manner <> Stuck then p.EndDue <- min p.EndDue (w.Soon 6)
        elif p.Protocol = Overlapping then
            p.GoAwayDue <- w.Soon 4

    /// Nobody works on it: what is written goes out, and then the end.
    member private w.Close(p: Peer) =
        if p.ServerClosed then w.Break "a connection was closed twice"
        if p.AtWork > 0 then w.Break "a request in flight was cut by a close"
        if w.Quiet > 0 && not p.Told && not p.Reaping then w.Break "closed, and neither told nor quiet"
        if p.Reaping && p.LookQuiet < w.Quiet then w.Break "reaped before it was quiet for the quiet period"
        if p.Reaping then tally.Reaped <- tally.Reaped + 1L
        p.ServerClosed <- true
        // The close of such a connection is a GOAWAY of its own.
        if p.Protocol = Overlapping then p.NoticeSeen <- min p.NoticeSeen (w.Soon 5)
        for i in 0..2 do
            if p.Requests[i] = Request.Arrived then
                // The reader may have it already; then it is served. Else it meets the close on the wire.
                if choices.Next 2 = 1 then tally.RacedTheClose <- tally.RacedTheClose + 1L else w.Cut(p, i)
        w.FinishClose p

    /// A request that nobody will read. That is fair only when the look that decided on it could not see its bytes, or
    /// when the client was told.
    member private w.Cut(p: Peer, i) =
        if p.ArrivedTick[i] < p.LookTick && w.Quiet > 0 && not p.Told && not w.Forced then
            w.Break "a request that had arrived before the sweep looked was cut"
        tally.CutAfterTheLook <- tally.CutAfterTheLook + 1L
        p.Requests[i] <- Request.Absent
        p.Due[i] <- Time.Never

    /// The end goes out once nothing is left to write.
    member w.FinishClose(p: Peer) =
        if p.ServerClosed && p.Outstanding = 0 && p.FinDue = Time.Never then
            p.FinDue <- w.Soon 4
            if p.Hastened then p.EndDue <- min p.EndDue (w.Soon 3)

    /// The sweep gave up on it: nobody reads from it any more.
    member w.Hasten(p: Peer) =
        if not p.ServerClosed && not p.WasReset then w.Break "hastened, and was not closed"
        if p.Pending then w.Break "hastened while bytes wait to be sent"
        if not p.Hastened then tally.Hastened <- tally.Hastened + 1L
        p.Hastened <- true
        if w.Tracing then w.Say $"connection {p.Number}: hastened"
        for i in 0..2 do
            if p.Requests[i] = Request.Arrived then w.Cut(p, i)
        if p.AtWork = 0 then p.EndDue <- min p.EndDue (w.Soon 3)

    member w.Reset() =
        w.Now <- 0
        w.Tick <- 0
        w.Gate <- Gate.initial
        w.Inside <- 0
        w.Emptied <- 0
        w.Forced <- false
        w.LastBusy <- 0
        w.EverybodyKnows <- false
        w.Letters.Clear()
        w.MailDue <- Time.Never
        lines.Clear()
