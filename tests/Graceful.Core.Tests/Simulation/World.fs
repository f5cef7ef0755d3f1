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

/// Whoever takes turns on the side of the server. The connections take turns too, by their numbers.
type Actor =
    | Mailbox = 0
    | Timer = 1
    | Acceptor = 2
    | Sweeper = 3
    | Sampler = 4
    | HookRunner = 5
    | Successor = 6
    | Outside = 7

/// Everything that the actors of one life share: the clock, the table, the gate, and the letters to the mailbox.
[<Sealed>]
type World(choices: Choices, size: int, planted: Planted) =
    let tally = Tally()
    let peers = Array.init size Peer
    let wheel = Wheel size
    let queue: Peer[] = Array.zeroCreate size
    let dues = Array.create 8 Time.Never
    let lines = List<string>()
    // Where hundreds wait for the same walk, a moment now and then is enough.
    let pace = if size <= 8 then 4 else 64
    let mutable soonest = Time.Never
    let mutable isKnown = true

    member _.Choices = choices
    member _.Tally = tally
    member _.Peers = peers
    member _.Wheel = wheel
    /// The accept queue, in the order in which they came; the next one is at `Accepted`.
    member _.Queue = queue
    member _.Planted = planted
    member val Queued = 0 with get, set
    member val Accepted = 0 with get, set
    member val Count = 0 with get, set
    member val Now = 0 with get, set
    /// How many micro-steps there were: a moment finer than the clock.
    member val Tick = 0 with get, set
    member val Gate = Gate.initial with get, set
    /// Who is inside, counted without asking the gate.
    member val Inside = 0 with get, set
    /// Who was accepted and is not through the gate.
    member val Entering = 0 with get, set
    member val Emptied = 0 with get, set
    member val Quiet = 0 with get, set
    /// A stop or a drill began: from then on clients may be told.
    member val Leaving = false with get, set
    member val Forced = false with get, set
    /// Letters may come twice.
    member val Stutters = false with get, set
    member val HijackedIsBusy = true with get, set
    member val LastUse = 0 with get, set
    /// Everybody inside was stepped with `Retire`, and nobody may come in without.
    member val EverybodyKnows = false with get, set
    member val Letters = Queue<Event>() with get
    member val Tracing = false with get, set
    member _.Lines = lines

    member w.Say(text: string) = lines.Add $"%5d{w.Now} ms  {text}"

    member w.Break reason =
        if w.Tracing then w.Say("BROKEN: " + reason)
        raise (Broken reason)

    member _.Pick bound = choices.Next bound

    /// A moment up to `bound - 1` from now.
    member w.Soon bound = w.Now + choices.Next bound

    /// The next turn of somebody with much to do: mostly at once.
    member w.Next = if choices.Next pace = pace - 1 then w.Now + 1 else w.Now

    member _.DueOf(actor: Actor) = dues[int actor]

    member _.Schedule(actor: Actor, at) =
        dues[int actor] <- at
        isKnown <- false

    member w.Hurry(actor: Actor, at) = if at < dues[int actor] then w.Schedule(actor, at)

    /// When the first actor on the side of the server is due.
    member _.Soonest =
        if not isKnown then
            soonest <- Time.Never
            for due in dues do
                soonest <- min soonest due
            isKnown <- true
        soonest

    /// To be called when anything was done with a connection: its next turn may be another.
    member _.Reschedule(p: Peer) = wheel.Schedule(p.Number, p.NextAt)

    member w.Post event =
        w.Letters.Enqueue event
        let twice =
            match event with
            // An answer comes once for every order; of these alone a second one is told from the first.
            | ListenersClosed | GateEmptied | HookFinished _ | ConnectionsSwept _ | SuccessorReady | SuccessorFailed _ | Woke -> true
            | StopRequested _ | ForceRequested _ | IdleSampled _ | HandOverRequested | ResumeRequested | DrillRequested _ -> false
        if twice && w.Stutters && w.Pick 4 = 3 then
            tally.Count Happening.LetterRepeated
            w.Letters.Enqueue event
        w.Hurry(Actor.Mailbox, w.Soon 2)

    member w.StepGate event =
        let struct (next, effect) = Gate.step event w.Gate
        w.Gate <- next
        tally.Count Happening.GateStepped
        if w.Tracing then w.Say $"gate: %A{event} -> %A{effect}, %d{Gate.inside next} inside"
        match effect with
        | Emptied ->
            w.Emptied <- w.Emptied + 1
            if w.Emptied > 1 then w.Break "Emptied happened twice"
            if w.Inside <> 0 then w.Break "Emptied while somebody is inside"
            if not (Gate.isSealed next) then w.Break "Emptied, and the gate is not sealed"
            w.Post GateEmptied
        | Admit
        | AdmitRetiring ->
            w.Inside <- w.Inside + 1
            if w.Inside > tally.MostInside then tally.MostInside <- w.Inside
        | NoChange
        | Refuse -> ()
        if Gate.inside next <> int64 w.Inside then w.Break "the gate miscounts who is inside"
        match event with
        | Enter
        | Leave -> ()
        | Announce
        | Withdraw
        | Drain
        | Shut ->
            tally.Count Happening.StepRepeated
            let struct (again, second) = Gate.step event next
            if again <> next || second <> NoChange then w.Break $"%A{event} came twice, and the second changed something"
        effect

    /// Steps a connection, and obeys.
    member w.Happen(p: Peer, event) =
        let before = p.Word
        let struct (next, effect) = Connection.step event before
        p.Word <- next
        tally.Count Happening.ConnectionStepped
        let was = Connection.phase before
        if Use.isUse w.HijackedIsBusy p.Counts before then w.LastUse <- w.Now
        if w.Tracing then
            let phase, inFlight = Connection.phase next, Connection.inFlight next
            w.Say $"connection {p.Number}: %A{event} -> %A{phase}, %d{inFlight} in flight, %A{effect}"
        w.Judge(p, event, was, next)
        match effect with
        | Nothing -> ()
        | BecameActive -> if p.AtWork <> 1 then w.Break "it became active, and not by its first request"
        | BecameIdle -> if p.Told then w.Break "a connection that was told went idle"
        | BecameHijacked -> if not p.WasHijacked then w.Break "it became hijacked, and nobody upgraded it"
        | AskToClose -> w.Ask p
        | Close -> w.Close p
        | Reset ->
            if not w.Forced then w.Break "a connection was reset though nobody forced"
            if p.WasReset then w.Break "a connection was reset twice"
            p.WasReset <- true
            tally.Count Happening.Reset
            p.EndDue <- w.Soon 3
        | LeaveGate ->
            if p.Place <> Place.Inside then w.Break "a connection left twice"
            p.Place <- Place.Left
            w.Inside <- w.Inside - 1
            w.StepGate Leave |> ignore

    /// What must hold after every step, whatever it was.
    member private w.Judge(p: Peer, event, was, next) =
        match Connection.phase next with
        | New
        | Active
        | Idle ->
            if Connection.inFlight next <> p.AtWork then w.Break "the word miscounts what is in flight"
            match was with
            | New
            | Active
            | Idle -> ()
            | Hijacked
            | Closed -> w.Break "a connection came back from where there is no way back"
        | Hijacked -> if was = Closed then w.Break "a closed connection was hijacked"
        | Closed ->
            if p.Protocol <> Raw && not (Connection.isGone next) && Connection.inFlight next <> p.AtWork then
                w.Break "the word of a closed connection miscounts what is in flight"
        match event with
        | Begin
        | End
        | MarkInUse
        | MarkIdle -> ()
        | Tell
        | Hijack
        | Retire
        | Reap
        | Shed
        | Abort
        | Disown
        | Ended ->
            tally.Count Happening.StepRepeated
            let struct (again, effect) = Connection.step event next
            if again <> next || effect <> Nothing then w.Break $"%A{event} came twice, and the second changed something"

    member private w.Ask(p: Peer) =
        if not w.Leaving then w.Break "asked to close though nobody leaves"
        match p.Protocol with
        | _ when p.WasHijacked ->
            tally.Count Happening.HijackedAskedToClose
            // It is asked in its own protocol; whoever is polite goes then.
            if p.Manner <> Stuck then p.EndDue <- min p.EndDue (w.Soon 6)
        | Overlapping -> p.GoAwayDue <- w.Soon 4
        | OneAtATime
        | Upgrades
        | Raw -> ()

    /// Nobody works on it: what is written goes out, and then the end.
    member private w.Close(p: Peer) =
        if p.ServerClosed then w.Break "a connection was closed twice"
        if not w.Leaving && not p.Shedding then w.Break "closed though nobody leaves"
        if p.AtWork > 0 then w.Break "a request in flight was cut by a close"
        // A raw connection that is marked idle expects nothing more, and can be told nothing.
        if w.Quiet > 0 && not p.Told && not p.Reaping && p.Protocol <> Raw then w.Break "closed, and neither told nor quiet"
        if p.Reaping && p.LookQuiet < w.Quiet then w.Break "reaped before it was quiet for the quiet period"
        if p.Reaping && p.AnswerTick > p.LookTick && not p.Told && (p.Protocol = OneAtATime || p.Protocol = Upgrades) && w.Quiet > 0 then
            w.Break "closed as quiet, though it was answered since the look, and not told"
        if p.Reaping then tally.Count Happening.Reaped
        p.ServerClosed <- true
        // The close of such a connection is a GOAWAY of its own.
        if p.Protocol = Overlapping then p.NoticeSeen <- min p.NoticeSeen (w.Soon 5)
        for i in 0 .. p.SlotCount - 1 do
            if p.Slots[i].Request = Request.Arrived then
                // The reader may have it already; then it is served. Else it meets the close on the wire.
                if p.Protocol <> Raw && choices.Next 2 = 1 then tally.Count Happening.RacedTheClose else w.Cut(p, i)
        w.FinishClose p

    /// A request that nobody will read. That is fair only when the look that decided on it could not see its bytes, or
    /// when the client was told.
    member private w.Cut(p: Peer, i) =
        if p.Slots[i].ArrivedTick < p.LookTick && w.Quiet > 0 && not p.Told && not w.Forced then
            w.Break "a request that had arrived before the sweep looked was cut"
        tally.Count Happening.CutAfterTheLook
        p.IsOver i

    /// The end goes out once nothing is left to write.
    member w.FinishClose(p: Peer) =
        if p.ServerClosed && p.Outstanding = 0 && p.FinDue = Time.Never then
            p.FinDue <- w.Soon 4
            if p.Hastened then p.EndDue <- min p.EndDue (w.Soon 3)

    /// The sweep gave up on it: nobody reads from it any more.
    member w.Hasten(p: Peer) =
        if not p.ServerClosed && not p.WasReset then w.Break "hastened, and was not closed"
        if p.Pending then w.Break "hastened while bytes wait to be sent"
        if not p.Hastened then tally.Count Happening.Hastened
        p.Hastened <- true
        if w.Tracing then w.Say $"connection {p.Number}: hastened"
        for i in 0 .. p.SlotCount - 1 do
            if p.Slots[i].Request = Request.Arrived then w.Cut(p, i)
        if p.AtWork = 0 then p.EndDue <- min p.EndDue (w.Soon 3)

    member w.Reset() =
        w.Now <- 0
        w.Tick <- 0
        w.Gate <- Gate.initial
        w.Inside <- 0
        w.Entering <- 0
        w.Queued <- 0
        w.Accepted <- 0
        w.Emptied <- 0
        w.Leaving <- false
        w.Forced <- false
        w.LastUse <- 0
        w.EverybodyKnows <- false
        w.Letters.Clear()
        wheel.Reset()
        Array.Fill(dues, Time.Never)
        isKnown <- false
        lines.Clear()
