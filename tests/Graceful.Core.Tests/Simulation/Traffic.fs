/// What happens on one connection: its client, its accept path, its requests, and its end.
module Graceful.Core.Tests.Simulation.Traffic

open Graceful.Core

let private serve (w: World) (p: Peer) =
    p.Place <- Place.Inside
    w.Entering <- w.Entering - 1
    for i in 0 .. p.SlotCount - 1 do
        if p.Slots[i].Request = Request.Arrived then p.Slots[i].Due <- w.Soon 11
    if w.EverybodyKnows && not (Connection.isRetiring p.Word) then
        w.Break "somebody came in after the notice and does not know"

let retire (w: World) (p: Peer) =
    if Connection.phase p.Word <> Closed then p.Noticed <- true
    w.Happen(p, Retire)

/// Register, then enter: two steps, and anything may happen in between.
let register (w: World) (p: Peer) =
    if w.Tracing then w.Say $"connection {p.Number}: accepted"
    w.Tally.Count Happening.Accepted
    p.Place <- Place.Registered
    w.Entering <- w.Entering + 1
    p.LastByte <- w.Now
    p.EnterDue <- w.Soon 3

let private enter (w: World) (p: Peer) =
    p.EnterDue <- Time.Never
    if p.Place = Place.Entering then
        if p.MustRetire then retire w p
        serve w p
    else
        match w.StepGate Enter with
        | Admit ->
            if w.Planted = Planted.EnterBeforeRegister then
                p.Place <- Place.Entering
                p.EnterDue <- w.Soon 3
            else
                serve w p
        | AdmitRetiring ->
            w.Tally.Count Happening.ToldAtTheGate
            p.Place <- Place.Entering
            p.MustRetire <- true
            p.EnterDue <- w.Soon 3
        | Refuse ->
            if not w.Forced then w.Break "somebody who was accepted was refused though nobody forced"
            w.Tally.Count Happening.RefusedAtTheGate
            p.Place <- Place.Left
            w.Entering <- w.Entering - 1
            p.ClientDue <- Time.Never
        | NoChange
        | Emptied -> w.Break "the gate gave no answer"

let private send (w: World) (p: Peer) i =
    p.Wanted <- p.Wanted - 1
    p.Arrives i
    p.Slots[i].ArrivedTick <- w.Tick
    p.LastByte <- w.Now
    if w.Tracing then w.Say $"client {p.Number}: sends a request"
    if p.Hastened || (p.ServerClosed && p.FinDue <> Time.Never) then
        // Too late: nobody reads from it any more, or our end is on the wire already.
        w.Tally.Count Happening.CutAfterTheLook
        p.IsOver i
    elif p.Place = Place.Inside then
        p.Slots[i].Due <- w.Soon 11
    p.ClientDue <- if p.Protocol = Overlapping && p.Wanted > 0 then w.Now + 1 + w.Pick 8 else Time.Never

let private freeSlot (p: Peer) =
    let mutable free = -1
    for i in p.SlotCount - 1 .. -1 .. 0 do
        if p.Slots[i].Request = Request.Absent then free <- i
    free

let private go (w: World) (p: Peer) =
    if w.Tracing then w.Say $"client {p.Number}: goes"
    p.ClientLeft <- true
    p.ClientDue <- Time.Never
    p.EndDue <- min p.EndDue (w.Soon 3)

let private client (w: World) (p: Peer) =
    p.ClientDue <- Time.Never
    if p.WasHijacked || w.Now >= p.NoticeSeen then
        ()
    elif p.Manner = HalfHead then
        p.LastByte <- w.Now
        if w.Tracing then w.Say $"client {p.Number}: sends half a head"
    elif p.Manner = Leaver && p.AtWork > 0 then
        go w p
    elif p.Wanted > 0 then
        match freeSlot p with
        | -1 -> ()
        | i ->
            send w p i
            if p.Manner = Leaver then p.ClientDue <- w.Now + 1 + w.Pick 20
    elif p.Manner = Leaver || (p.Manner = Polite && w.Pick 3 = 2) then
        go w p

/// The response head goes out: the one moment at which a client of one request at a time can be told.
let private head (w: World) (p: Peer) i =
    if p.Protocol = Upgrades && not p.ServerClosed && not p.WasReset && w.Pick 2 = 1 then
        p.WasHijacked <- true
        p.IsOver i
        w.Tally.Count Happening.Hijacked
        if p.Manner <> Stuck && w.Pick 2 = 1 then p.EndDue <- w.Now + 1 + w.Pick 100
        w.Happen(p, Hijack)
    else
        p.LastByte <- w.Now
        p.AnswerTick <- w.Tick
        let onTheHead = p.Protocol <> Overlapping && p.Protocol <> Raw
        if onTheHead && Connection.mustTell p.Word && w.Planted <> Planted.HeadWithoutNotice then
            p.Told <- true
            w.Tally.Count Happening.ToldByHead
            w.Happen(p, Tell)
        if onTheHead && p.Slots[i].Owed && not p.Told && not p.ServerClosed && not p.WasReset then
            w.Break "a request that began after the notice was answered without it"
        p.Slots[i].Request <- Request.HeadOut
        p.Slots[i].Due <-
            if p.Manner = Stuck then Time.Never
            elif w.Pick 8 = 7 then w.Now + 150
            else w.Now + 1 + w.Pick 12

/// What the wrapper of a raw socket saw: a step, where the mode makes one of it.
let private mark (w: World) (p: Peer) observation =
    match Mode.interpret p.Mode observation with
    | ValueSome MarkInUse ->
        w.Tally.Count Happening.MarkedInUse
        w.Happen(p, MarkInUse)
    | ValueSome MarkIdle ->
        w.Tally.Count Happening.MarkedIdle
        w.Happen(p, MarkIdle)
    | ValueSome _
    | ValueNone -> w.Break "a mode has no event for what it lives on"

/// A server that goes on looks for those whom nobody works on; between the look and the step bytes may come.
let private shed (w: World) (p: Peer) =
    let unread = p.Slots[0].Request = Request.Arrived
    let quietFor = System.TimeSpan(int64 (w.Now - p.LastByte) * System.TimeSpan.TicksPerMillisecond)
    if Connection.mayShed System.TimeSpan.Zero quietFor unread p.Word then
        w.Tally.Count Happening.Shed
        p.Shedding <- true
        w.Happen(p, Shed)
        p.Shedding <- false
        if not p.ServerClosed then w.Break "a connection that may be shed was not closed"

/// The handler takes its connection away: nobody counts it any more, and its transport is not our business.
let private disown (w: World) (p: Peer) =
    w.Happen(p, Disown)
    if p.Place = Place.Left then
        w.Tally.Count Happening.Disowned
        if not (Connection.isHeard p.Word) then w.Break "whoever took a connection away can't read from it"
        p.IsOver 0
        p.ClientDue <- Time.Never

let private finish (w: World) (p: Peer) i =
    p.IsOver i
    p.LastByte <- w.Now
    w.Tally.Count Happening.RequestServed
    if p.Manner = Mute then p.Pending <- true
    if p.Told && p.Protocol <> Overlapping then p.NoticeSeen <- w.Now
    if p.Manner = Endless then p.Wanted <- max p.Wanted 1
    if p.Protocol = Raw then mark w p (if p.Mode = Deadline then ReadDeadlineSet else MarkedIdle) else w.Happen(p, End)
    w.FinishClose p
    if p.Protocol = Raw && w.Pick 8 = 7 then shed w p
    if p.Place = Place.Inside && p.Manner <> Mute then
        p.ClientDue <- min p.ClientDue (w.Now + 1 + (if p.Manner = Endless then w.Pick 4 else w.Pick 90))

let private work (w: World) (p: Peer) i =
    match p.Slots[i].Request with
    | Request.Arrived ->
        p.Starts i
        p.Slots[i].Owed <- p.Noticed
        p.Slots[i].Due <- if p.Manner = Stuck && w.Pick 2 = 1 then Time.Never else w.Soon 9
        w.Tally.Count Happening.RequestBegun
        if p.Protocol = Raw then mark w p (if p.Mode = Manual then MarkedInUse else BytesRead) else w.Happen(p, Begin)
    | Request.Begun when p.Protocol = Raw && not p.ServerClosed && not p.WasReset && w.Pick 16 = 15 -> disown w p
    | Request.Begun -> head w p i
    | Request.HeadOut -> finish w p i
    | _ -> p.Slots[i].Due <- Time.Never

let private goAway (w: World) (p: Peer) =
    p.GoAwayDue <- Time.Never
    match Connection.phase p.Word with
    | Active ->
        p.Told <- true
        w.Tally.Count Happening.ToldByGoAway
        p.NoticeSeen <- min p.NoticeSeen (w.Soon 5)
        w.Happen(p, Tell)
    | New
    | Idle
    | Hijacked
    | Closed -> ()

let private transportEnds (w: World) (p: Peer) =
    if p.Outstanding > 0 && not p.ClientLeft && not p.WasReset then
        w.Break "a request was cut though its client stayed and nobody forced"
    let late = p.AtWork > 0
    for i in 0 .. p.SlotCount - 1 do
        if p.Slots[i].Request <> Request.Absent then
            w.Tally.Count(if p.WasReset then Happening.CutByReset else Happening.CutByItsClient)
    p.ClientDue <- Time.Never
    w.Happen(p, Ended)
    // Its handler notices later, and its end changes nothing.
    if late then w.Happen(p, End)

let private seesTheEnd (w: World) (p: Peer) =
    p.FinDue <- Time.Done
    if p.Manner <> HalfHead && p.Manner <> Mute then
        p.ClientDue <- Time.Never
        p.EndDue <- min p.EndDue (w.Soon 3)

/// One thing that is due on this connection.
let act (w: World) (p: Peer) =
    let now = w.Now
    let inside = p.Place = Place.Inside
    if not inside && p.InTable && p.EnterDue <= now then enter w p
    elif inside && p.EndDue <= now then transportEnds w p
    elif inside && p.GoAwayDue <= now then goAway w p
    elif inside && p.FinDue <= now then seesTheEnd w p
    elif inside && p.Slots[0].Due <= now then work w p 0
    elif inside && p.Slots[1].Due <= now then work w p 1
    elif inside && p.Slots[2].Due <= now then work w p 2
    else client w p

