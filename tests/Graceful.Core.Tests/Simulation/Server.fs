namespace Graceful.Core.Tests.Simulation

open System
open Graceful.Core
open Graceful.Core.Tests

/// A walk through the table, one connection at a time, so that others act between two of them.
type Walk =
    | NoWalk = 0
    | Announce = 1
    | Retire = 2
    | Abort = 3

/// The adapters of one life around the pure machines: the mailbox and whoever answers its orders. Each does one small
/// thing when it is its turn; none decides anything.
[<Sealed>]
type Server(w: World, plan: Plan) =
    let policy = plan.Policy
    let now () = Instant(int64 w.Now * TimeSpan.TicksPerMillisecond)

    let mutable state = Lifecycle.initial policy (Instant 0L)
    let mutable orders: Effect list = []
    let mutable wakeAt =
        match Lifecycle.nextDue state with
        | ValueSome(Instant ticks) -> int (ticks / TimeSpan.TicksPerMillisecond)
        | ValueNone -> Time.Never
    let mutable walk = Walk.NoWalk
    let mutable walked = 0
    let mutable steps: LifecycleScript.Step list = []
    let mutable stopped = Time.Never

    let mutable paused = false
    let mutable closing = false
    let mutable listening = true
    let mutable successorHasThem = false
    let mutable acceptDue = Time.Never

    let mutable sweepDue = Time.Never
    let mutable swept = 0
    let mutable lookAgain = TimeSpan.Zero
    let mutable verdict = LeaveAlone
    let mutable looked = false

    let mutable sampleDue = Time.Never
    let mutable hook = -1
    let mutable hookDue = Time.Never
    let mutable hooksRun = 0
    let mutable successorDue = Time.Never
    let mutable called = 0
    let mutable exitCode = -1

    let startWalk kind event =
        if w.Planted <> Planted.SweepBeforeGate then w.StepGate event |> ignore
        walk <- kind
        walked <- 0

    let startHook i =
        if hook >= 0 then w.Break "two hooks at once"
        if hooksRun &&& (1 <<< i) <> 0 then w.Break "a hook started twice"
        let stage = policy.Hooks[i].Stage
        for j in 0 .. policy.Hooks.Length - 1 do
            let ran = hooksRun &&& (1 <<< j) <> 0
            if policy.Hooks[j].Stage = stage && j < i && not ran then w.Break "a hook was passed over"
            if policy.Hooks[j].Stage = stage && j > i && ran then w.Break "hooks ran in the wrong order"
        if stage = AfterDrain && not w.Forced && w.Inside > 0 then w.Break "an after-drain hook began while somebody is inside"
        hooksRun <- hooksRun ||| (1 <<< i)
        hook <- i
        hookDue <- if plan.Hooks[i] = Hangs then Time.Never else w.Now + plan.HookTimes[i]

    let obey effect =
        match effect with
        | WakeAt(Instant ticks) ->
            wakeAt <- int (ticks / TimeSpan.TicksPerMillisecond)
            if w.Tracing then w.Say $"  order: WakeAt {wakeAt} ms"
        | other -> if w.Tracing then w.Say $"  order: %A{other}"
        match effect with
        | WakeAt _ -> ()
        | SampleIdle -> sampleDue <- w.Soon 5
        | FailReadiness
        | FireStopping
        | RefuseHandOver -> ()
        | PauseAccepting -> paused <- true
        | ResumeAccepting ->
            paused <- false
            acceptDue <- w.Soon 3
        | AnnounceLeaving -> startWalk Walk.Announce Announce
        | CloseListeners theirs ->
            closing <- true
            successorHasThem <- theirs
            acceptDue <- w.Soon 5
        | RetireConnections -> startWalk Walk.Retire Drain
        | AbortConnections ->
            w.Forced <- true
            startWalk Walk.Abort Shut
        | SweepConnections ->
            if sweepDue <> Time.Never then w.Break "two sweeps at once"
            sweepDue <- w.Soon 3
            swept <- 0
            looked <- false
            lookAgain <- TimeSpan.MaxValue
        | StartHook i -> startHook i
        | CancelHook i ->
            if hook = i then
                hook <- -1
                hookDue <- Time.Never
                if w.Pick 2 = 1 then w.Post(HookFinished(i, Cancelled))
        | StartSuccessor -> successorDue <- if plan.Successor.IsNone then Time.Never else w.Now + 1 + w.Pick 90
        | AbandonSuccessor -> successorDue <- Time.Never
        | Exit code ->
            if exitCode >= 0 then w.Break "Exit was ordered twice"
            exitCode <- code
        | Terminate _ -> if exitCode < 0 then w.Break "Terminate before Exit"

    /// The next connection of a walk.
    let walkOn () =
        if walked < w.Count then
            let p = w.Peers[walked]
            walked <- walked + 1
            if p.InTable && not (w.Planted = Planted.EnterBeforeRegister && p.Place <> Place.Inside) then
                if walk = Walk.Abort then w.Happen(p, Abort) else Traffic.retire w p
        else
            if w.Planted = Planted.SweepBeforeGate then
                w.StepGate(match walk with Walk.Announce -> Announce | Walk.Retire -> Drain | _ -> Shut) |> ignore
            walk <- Walk.NoWalk
            w.EverybodyKnows <- true
            for i in 0 .. w.Count - 1 do
                let p = w.Peers[i]
                if p.Place = Place.Inside && not (Connection.isRetiring p.Word) then
                    w.Break "somebody inside missed the notice"

    let step event =
        let s = LifecycleScript.run policy (now ()) event state
        w.Tally.Events <- w.Tally.Events + 1L
        steps <- s :: steps
        state <- s.After
        orders <- s.Orders @ s.Wake
        if stopped = Time.Never && List.contains FireStopping s.Orders then stopped <- w.Now
        if w.Tracing then w.Say $"server: %A{event} -> %A{Lifecycle.stage s.After}"

    /// One letter, then its orders first to last, one a turn; a walk is many turns.
    let mail () =
        match orders with
        | _ when walk <> Walk.NoWalk -> walkOn ()
        | order :: rest ->
            orders <- rest
            obey order
        | [] when w.Letters.Count > 0 -> step (w.Letters.Dequeue())
        | [] ->
            wakeAt <- Time.Never
            step Woke
        w.MailDue <-
            if walk <> Walk.NoWalk || not orders.IsEmpty || w.Letters.Count > 0 then w.Now + (w.Pick 4) / 3 else Time.Never

    let mayAccept () = listening && ((closing && not successorHasThem) || (not closing && not paused))

    /// One from the queue; or, on the last call, the news that nobody is left in it.
    let accept () =
        acceptDue <- Time.Never
        let mutable queued = -1
        let mutable entering = false
        for i in 0 .. w.Count - 1 do
            match w.Peers[i].Place with
            | Place.Queued when queued < 0 -> queued <- i
            | Place.Registered
            | Place.Entering -> entering <- true
            | _ -> ()
        if queued >= 0 && mayAccept () then
            Traffic.register w w.Peers[queued]
            acceptDue <- w.Soon 3
        elif closing && listening then
            if entering && w.Planted <> Planted.ClosedTooSoon then
                acceptDue <- w.Now + 1
            else
                listening <- false
                for i in 0 .. w.Count - 1 do
                    if w.Peers[i].Place = Place.Queued then
                        // They are in the queue of the successor now.
                        w.Peers[i].Place <- Place.Left
                        w.Peers[i].ClientDue <- Time.Never
                w.Post ListenersClosed

    let connect (p: Peer) =
        if w.Tracing then w.Say $"client {p.Number}: connects (%A{p.Manner}, %A{p.Protocol})"
        if listening then
            p.Place <- Place.Queued
            p.ClientDue <- w.Soon 60
            acceptDue <- min acceptDue (w.Soon 4)
        else
            // Refused before the handshake, or served by the successor: safe either way.
            p.Place <- Place.Left
            p.ClientDue <- Time.Never

    /// Looks at one connection, or does what the look said: between the two the world may have moved on.
    let sweep () =
        if swept >= w.Count then
            sweepDue <- Time.Never
            w.Post(ConnectionsSwept(if lookAgain = TimeSpan.MaxValue then policy.QuietPeriod else lookAgain))
        else
            let p = w.Peers[swept]
            if not looked && p.InTable then
                looked <- true
                p.LookTick <- w.Tick
                p.LookQuiet <- w.Now - p.LastByte
                let quietFor =
                    TimeSpan.FromMilliseconds(int64 (if w.Planted = Planted.DeafToBytes then 1000 else p.LookQuiet))
                let struct (said, wait) = Connection.judge policy.QuietPeriod quietFor p.Pending p.Word
                verdict <- said
                lookAgain <- min lookAgain wait
            else
                swept <- swept + 1
                if looked && p.InTable then
                    match verdict with
                    | LeaveAlone -> ()
                    | ReapNow ->
                        p.Reaping <- true
                        w.Happen(p, Reap)
                        p.Reaping <- false
                    | Hasten -> w.Hasten p
                looked <- false
            sweepDue <- w.Now + (w.Pick 4) / 3

    let sample () =
        sampleDue <- Time.Never
        let mutable busy = 0
        for i in 0 .. w.Count - 1 do
            let p = w.Peers[i]
            if p.InTable then
                match Connection.phase p.Word with
                | New
                | Active
                | Hijacked -> busy <- busy + 1
                | Idle
                | Closed -> ()
        w.Post(IdleSampled(busy, TimeSpan.FromMilliseconds(int64 (if busy > 0 then 0 else w.Now - w.LastBusy))))

    let finishHook () =
        let i = hook
        hook <- -1
        hookDue <- Time.Never
        w.Post(HookFinished(i, (if plan.Hooks[i] = Fails then Failed "broke" else Succeeded)))

    let answerSuccessor () =
        successorDue <- Time.Never
        plan.Successor |> ValueOption.iter w.Post

    let call () =
        let struct (_, event) = plan.Calls[called]
        called <- called + 1
        if w.Tracing then w.Say $"from outside: %A{event}"
        w.Post event

    /// When each actor wants its turn; the first eight are the server's, the others are the connections.
    member _.DueOf actor =
        match actor with
        | 0 -> min w.MailDue wakeAt
        | 1 -> acceptDue
        | 2 -> sweepDue
        | 3 -> sampleDue
        | 4 -> hookDue
        | 5 -> successorDue
        | 6 ->
            if called = plan.Calls.Length then Time.Never
            else
                let struct (at, _) = plan.Calls[called]
                at
        | _ -> w.Peers[actor - 7].NextAt

    member _.Act actor =
        match actor with
        | 0 -> mail ()
        | 1 -> accept ()
        | 2 -> sweep ()
        | 3 -> sample ()
        | 4 -> finishHook ()
        | 5 -> answerSuccessor ()
        | 6 -> call ()
        | _ ->
            let p = w.Peers[actor - 7]
            if p.Place = Place.Away then connect p else Traffic.act w p

    member _.HasExited = exitCode >= 0
    member _.ExitCode = exitCode
    member _.StoppedAt = stopped
    member _.HooksRun = hooksRun
    member _.State = state
    member _.SuccessorHasThem = successorHasThem
    member _.Trace: LifecycleScript.Trace =
        { Policy = policy
          Moves = []
          Steps = List.rev steps
          Stopped = Instant(int64 stopped * TimeSpan.TicksPerMillisecond) }
