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
    let mutable walk = Walk.NoWalk
    let mutable walked = 0
    let mutable steps: Step list = []
    let mutable stopped = Time.Never

    let mutable unready = false
    let mutable fired = false
    let mutable told = false
    let mutable paused = false
    let mutable closing = false
    let mutable settled = Time.Never
    let mutable listening = true
    let mutable successorHasThem = false

    let mutable swept = 0
    // In ticks: to compare two TimeSpans F# puts them both on the heap.
    let mutable lookAgain = 0L
    let mutable verdict = LeaveAlone
    let mutable looked = false

    /// When those that run end; the others, and those that hang, never.
    let hookEnds = Array.create 8 Time.Never
    let mutable hooksRunning = 0
    let mutable hooksRun = 0
    let mutable called = 0
    let mutable exitCode = -1
    let mutable exited = Time.Never
    let mutable terminated = false

    let wakeAt (Instant ticks) =
        let late = if plan.Late > 0 then w.Pick(plan.Late + 1) else 0
        if late > 0 then w.Tally.Count Happening.WokenLate
        w.Schedule(Actor.Timer, int (ticks / TimeSpan.TicksPerMillisecond) + late)

    let expectCall () =
        let due = if called = plan.Calls.Length then Time.Never else (let struct (at, _) = plan.Calls[called] in at)
        w.Schedule(Actor.Outside, due)

    do
        Lifecycle.nextDue state |> ValueOption.iter wakeAt
        expectCall ()

    let startWalk kind event =
        if w.Planted <> Planted.SweepBeforeGate then w.StepGate event |> ignore
        walk <- kind
        walked <- 0

    let awaitHooks () = w.Schedule(Actor.HookRunner, Array.min hookEnds)

    let startHook i =
        if hooksRun &&& (1 <<< i) <> 0 then w.Break "a hook started twice"
        let stage = policy.Hooks[i].Stage
        for j in LifecycleTrace.predecessors policy i do
            if hooksRun &&& ~~~hooksRunning &&& (1 <<< j) = 0 then w.Break "a hook began before one that it waits for was over"
        if stage = AfterDrain && not w.Forced && w.Inside > 0 then w.Break "an after-drain hook began while somebody is inside"
        if hooksRunning <> 0 then w.Tally.Count Happening.HooksRanTogether
        hooksRun <- hooksRun ||| (1 <<< i)
        hooksRunning <- hooksRunning ||| (1 <<< i)
        hookEnds[i] <- if plan.Hooks[i] = Hangs then Time.Never else w.Now + plan.HookTimes[i]
        awaitHooks ()

    let endHook i =
        hooksRunning <- hooksRunning &&& ~~~(1 <<< i)
        hookEnds[i] <- Time.Never
        awaitHooks ()

    /// What hooks of a stop that was undone still have to say is nobody's business.
    let forgetHooks () =
        hooksRun <- 0
        for _ in 1 .. w.Letters.Count do
            match w.Letters.Dequeue() with
            | HookFinished _ -> ()
            | letter -> w.Letters.Enqueue letter

    let obey effect =
        if w.Tracing then
            match effect with
            | WakeAt(Instant ticks) -> w.Say $"  order: WakeAt {ticks / TimeSpan.TicksPerMillisecond} ms"
            | other -> w.Say $"  order: %A{other}"
        match effect with
        | WakeAt moment -> wakeAt moment
        | SampleIdle -> w.Schedule(Actor.Sampler, w.Soon 60)
        | FailReadiness ->
            if unready then w.Break "readiness failed twice"
            unready <- true
        | RestoreReadiness ->
            if not unready then w.Break "readiness was restored that held"
            unready <- false
        | FireStopping ->
            if fired then w.Break "the stopping token fired twice"
            fired <- true
        | RenewStopping ->
            if told then w.Break "back, and the host was told"
            fired <- false
            forgetHooks ()
        | StopHost ->
            if told then w.Break "the host was told twice"
            told <- true
        | WithdrawNotice ->
            w.EverybodyKnows <- false
            w.StepGate Withdraw |> ignore
        | RefuseResume -> w.Tally.Count Happening.ResumeRefused
        | RefuseDrill -> w.Tally.Count Happening.DrillRefused
        | RefuseHandOver -> w.Tally.Count Happening.HandOverRefused
        | PauseAccepting -> paused <- true
        | ResumeAccepting ->
            paused <- false
            w.Schedule(Actor.Acceptor, w.Soon 3)
        | AnnounceLeaving -> startWalk Walk.Announce Announce
        | CloseListeners theirs ->
            if closing then w.Break "the listeners were closed twice"
            if not told then w.Break "the listeners close, and the host was not told"
            closing <- true
            settled <- w.Now + plan.Settle
            successorHasThem <- theirs
            w.Schedule(Actor.Acceptor, w.Soon 5)
        | RetireConnections -> startWalk Walk.Retire Drain
        | AbortConnections ->
            w.Forced <- true
            startWalk Walk.Abort Shut
        | SweepConnections ->
            if w.DueOf Actor.Sweeper <> Time.Never then w.Break "two sweeps at once"
            w.Schedule(Actor.Sweeper, w.Soon 3)
            swept <- 0
            looked <- false
            lookAgain <- Int64.MaxValue
        | StartHook i -> startHook i
        | CancelHook i ->
            if hooksRunning &&& (1 <<< i) <> 0 then
                endHook i
                if w.Pick 2 = 1 then
                    w.Tally.Count Happening.AnsweredTooLate
                    w.Post(HookFinished(i, Cancelled))
        | StartSuccessor ->
            w.Tally.Count Happening.SuccessorStarted
            if plan.Successor.IsSome then w.Schedule(Actor.Successor, w.Now + 1 + w.Pick 90)
        | AbandonSuccessor ->
            w.Tally.Count Happening.SuccessorAbandoned
            w.Schedule(Actor.Successor, Time.Never)
        | Exit code ->
            if exitCode >= 0 then w.Break "Exit was ordered twice"
            exitCode <- code
            exited <- w.Now
        | Terminate code ->
            w.Tally.Count Happening.TerminatedAtOnce
            if exitCode < 0 then w.Break "Terminate before Exit"
            exitCode <- code
            terminated <- true

    /// The next connection of a walk.
    let walkOn () =
        while walked < w.Count && not w.Peers[walked].InTable do
            walked <- walked + 1
        if walked < w.Count then
            let p = w.Peers[walked]
            walked <- walked + 1
            if not (w.Planted = Planted.EnterBeforeRegister && p.Place <> Place.Inside) then
                if walk = Walk.Abort then w.Happen(p, Abort) else Traffic.retire w p
                w.Reschedule p
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
        let s = run policy (now ()) event state
        w.Tally.Count Happening.ServerStepped
        steps <- s :: steps
        state <- s.After
        orders <- s.Orders @ s.Wake
        if List.contains FireStopping s.Orders then stopped <- w.Now
        // A stop that was undone is as if it had not been: what is judged at the end is the one that led there.
        if LifecycleTrace.isBack s then steps <- []
        w.Leaving <- w.Leaving || Lifecycle.stage state >= Stage.Drilling
        if w.Tracing then w.Say $"server: %A{event} -> %A{Lifecycle.stage s.After}"
        Rules.edge w s

    /// One letter, then its orders first to last, one a turn; a walk is many turns.
    let mail () =
        match orders with
        | _ when walk <> Walk.NoWalk -> walkOn ()
        | order :: rest ->
            orders <- rest
            obey order
        | [] when w.Letters.Count > 0 -> step (w.Letters.Dequeue())
        | [] -> ()
        let more = walk <> Walk.NoWalk || not orders.IsEmpty || w.Letters.Count > 0
        w.Schedule(Actor.Mailbox, (if more then w.Next else Time.Never))

    let wake () =
        w.Schedule(Actor.Timer, Time.Never)
        w.Post Woke

    let mayAccept () = listening && ((closing && not successorHasThem) || (not closing && not paused))

    let closeTheSockets () =
        listening <- false
        for i in w.Accepted .. w.Queued - 1 do
            // They are in the queue of the successor now, and what they sent is its to answer.
            let p = w.Queue[i]
            if not successorHasThem then w.Break "the listeners closed over somebody in the queue"
            w.Tally.Count Happening.LeftToTheSuccessor
            for slot in 0 .. p.SlotCount - 1 do
                if p.Slots[slot].Request <> Request.Absent then p.IsOver slot
            p.Place <- Place.Left
            p.ClientDue <- Time.Never
            w.Reschedule p
        w.Post ListenersClosed

    /// One from the queue; or, on the last call, the news that nobody is left in it.
    let accept () =
        w.Schedule(Actor.Acceptor, Time.Never)
        let stage = Lifecycle.stage state
        if paused && orders.IsEmpty && (stage = Stage.Running || stage = Stage.Drilling || stage = Stage.LameDuck) then
            w.Break "somebody waits in the queue of a server that runs, and nobody accepts"
        if w.Accepted < w.Queued && mayAccept () then
            let p = w.Queue[w.Accepted]
            w.Accepted <- w.Accepted + 1
            Traffic.register w p
            w.Reschedule p
            w.Schedule(Actor.Acceptor, w.Next)
        elif closing && listening then
            if w.Now < settled then w.Schedule(Actor.Acceptor, settled)
            elif w.Entering > 0 && w.Planted <> Planted.ClosedTooSoon then w.Schedule(Actor.Acceptor, w.Now + 1)
            else closeTheSockets ()

    let connect (p: Peer) =
        if w.Tracing then w.Say $"client {p.Number}: connects (%A{p.Manner}, %A{p.Protocol})"
        if listening then
            p.Place <- Place.Queued
            w.Queue[w.Queued] <- p
            w.Queued <- w.Queued + 1
            p.ClientDue <- w.Soon 60
            w.Hurry(Actor.Acceptor, w.Soon 4)
        else
            // Refused before the handshake, or served by the successor: safe either way.
            w.Tally.Count Happening.FoundNoListener
            p.Place <- Place.Left
            p.ClientDue <- Time.Never

    let look (p: Peer) =
        w.Tally.Count Happening.ConnectionJudged
        looked <- true
        p.LookTick <- w.Tick
        p.LookQuiet <- w.Now - p.LastByte
        let quiet = if w.Planted = Planted.DeafToBytes then 1000 else p.LookQuiet
        let struct (said, wait) =
            Connection.judge policy.QuietPeriod (TimeSpan(int64 quiet * TimeSpan.TicksPerMillisecond)) p.Pending p.Word
        verdict <- said
        lookAgain <- min lookAgain wait.Ticks
        // Where there is nothing to do, nothing can come between the look and doing it.
        match said with
        | LeaveAlone ->
            looked <- false
            swept <- swept + 1
        | RetireFirst
        | ReapNow
        | Hasten -> ()

    /// Looks at one connection, or does what the look said: between the two the world may have moved on.
    let sweep () =
        if looked then
            let p = w.Peers[swept]
            looked <- false
            if verdict <> RetireFirst || not p.InTable then swept <- swept + 1
            if p.InTable then
                match verdict with
                | LeaveAlone -> ()
                | RetireFirst ->
                    // And the next step asks again.
                    w.Tally.Count Happening.RetiredFirst
                    Traffic.retire w p
                | ReapNow ->
                    p.Reaping <- true
                    w.Happen(p, Reap)
                    p.Reaping <- false
                | Hasten -> w.Hasten p
                w.Reschedule p
        else
            while swept < w.Count && not w.Peers[swept].InTable do
                swept <- swept + 1
            if swept < w.Count then look w.Peers[swept]
        if swept < w.Count then w.Schedule(Actor.Sweeper, w.Next)
        else
            w.Schedule(Actor.Sweeper, Time.Never)
            w.Post(ConnectionsSwept(if lookAgain = Int64.MaxValue then policy.QuietPeriod else TimeSpan lookAgain))

    let sample () =
        w.Schedule(Actor.Sampler, Time.Never)
        let mutable busy = 0
        for i in 0 .. w.Count - 1 do
            let p = w.Peers[i]
            if p.InTable && Use.isBusy plan.HijackedIsBusy p.Counts p.Word then busy <- busy + 1
        if paused then busy <- busy + w.Queued - w.Accepted
        let at (time: int) = Instant(int64 time * TimeSpan.TicksPerMillisecond)
        w.Post(IdleSampled(busy, Use.quietFor (at w.LastUse) (at w.Now)))

    let finishHook () =
        let i = Array.findIndex (fun at -> at <= w.Now) hookEnds
        endHook i
        if plan.Hooks[i] = Succeeds then w.Tally.Count Happening.HookSucceeded
        w.Post(HookFinished(i, (if plan.Hooks[i] = Fails then Failed "broke" else Succeeded)))

    let answerSuccessor () =
        w.Schedule(Actor.Successor, Time.Never)
        plan.Successor |> ValueOption.iter w.Post

    let call () =
        let struct (_, event) = plan.Calls[called]
        called <- called + 1
        expectCall ()
        if w.Tracing then w.Say $"from outside: %A{event}"
        if event = Woke then w.Tally.Count Happening.WokenEarly
        w.Post event

    member _.Act actor =
        match actor with
        | Actor.Mailbox -> mail ()
        | Actor.Timer -> wake ()
        | Actor.Acceptor -> accept ()
        | Actor.Sweeper -> sweep ()
        | Actor.Sampler -> sample ()
        | Actor.HookRunner -> finishHook ()
        | Actor.Successor -> answerSuccessor ()
        | _ -> call ()

    member _.ActFor(p: Peer) =
        if p.Place = Place.Away then connect p else Traffic.act w p
        w.Reschedule p

    member _.HasExited = exitCode >= 0
    /// The process is gone; until then signals are heard.
    member _.IsGone = terminated || (exitCode >= 0 && w.Now >= exited + plan.Lingers && orders.IsEmpty)
    member _.ExitedAt = exited
    member _.ExitCode = exitCode
    member _.StoppedAt = stopped
    member _.HooksRun = hooksRun
    member _.State = state
    member _.Trace: Trace =
        { Policy = policy
          Moves = []
          Steps = List.rev steps
          Stopped = Instant(int64 stopped * TimeSpan.TicksPerMillisecond) }
