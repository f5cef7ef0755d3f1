namespace Graceful.Proof

open System
open System.Buffers.Binary
open Graceful.Core

/// Where things are in the bytes of a state.
module internal At =
    [<Literal>]
    let Life = 0 // four bytes

    [<Literal>]
    let Orders = 4 // two bytes

    [<Literal>]
    let Walk = 6

    [<Literal>]
    let LookAgain = 7

    [<Literal>]
    let Gate = 8

    [<Literal>]
    let Letters = 9

    [<Literal>]
    let Swept = 10

    [<Literal>]
    let Sample = 11

    [<Literal>]
    let Listener = 12

    [<Literal>]
    let Successor = 13

    [<Literal>]
    let Hooks = 14 // one byte each, four at most

    [<Literal>]
    let Calls = 18

    [<Literal>]
    let Gravity = 19

    [<Literal>]
    let Lull = 20

    [<Literal>]
    let Left = 21

    [<Literal>]
    let Kick = 22

    [<Literal>]
    let Notes = 23

    [<Literal>]
    let Clients = 24 // eight bytes each

    // Of one client:
    [<Literal>]
    let Place = 0

    [<Literal>]
    let Word = 1

    [<Literal>]
    let Owed = 2

    [<Literal>]
    let First = 3

    [<Literal>]
    let Second = 4

    [<Literal>]
    let Quiet = 5

    [<Literal>]
    let Visit = 6

    [<Literal>]
    let Marks = 7

/// A walk of the mailbox through the table.
module internal Walk =
    [<Literal>]
    let None = 0uy

    [<Literal>]
    let Announce = 1uy

    [<Literal>]
    let Retire = 2uy

    [<Literal>]
    let Abort = 3uy

    [<Literal>]
    let Sweep = 4uy

module internal Visit =
    [<Literal>]
    let No = 0uy

    [<Literal>]
    let Due = 1uy

    /// Looked at, and about to be retired and looked at again.
    [<Literal>]
    let RetiringFirst = 2uy

    /// Looked at, and about to be reaped.
    [<Literal>]
    let Reaping = 3uy

    /// Looked at, and about to be hastened.
    [<Literal>]
    let Hastening = 4uy

/// Where a connection is between its accept and its end.
module internal Place =
    [<Literal>]
    let Away = 0uy

    [<Literal>]
    let Queued = 1uy

    /// In the table, not through the gate.
    [<Literal>]
    let Registered = 2uy

    /// Through the gate, and not yet told to retire.
    [<Literal>]
    let Retiring = 3uy

    [<Literal>]
    let Inside = 4uy

    /// Refused at the gate, and still in the table.
    [<Literal>]
    let Refused = 5uy

    /// Gone and out of the table, and not yet out of the gate.
    [<Literal>]
    let Ending = 6uy

    [<Literal>]
    let Left = 7uy

    /// By mistake: through the gate and not in the table. With the notice to give, and without.
    [<Literal>]
    let Unlisted = 8uy

module internal Request =
    [<Literal>]
    let Unsent = 0uy

    /// In the kernel; nobody has read it.
    [<Literal>]
    let Arrived = 1uy

    [<Literal>]
    let Begun = 2uy

    /// Its head was decided, without the notice.
    [<Literal>]
    let Plain = 3uy

    /// Its head was decided, with the notice; the word does not know yet.
    [<Literal>]
    let Telling = 4uy

    [<Literal>]
    let Told = 5uy

    /// The response is complete, and on its way to the client.
    [<Literal>]
    let Produced = 6uy

    [<Literal>]
    let Answered = 7uy

    /// Nobody read it before the close: the client knows that it may send it again.
    [<Literal>]
    let Cut = 8uy

    [<Literal>]
    let Aborted = 9uy

    /// The client went away before its answer.
    [<Literal>]
    let Deserted = 10uy

    /// Half a head.
    [<Literal>]
    let Half = 11uy

    /// Sent after the sweep looked, or after the close was ordered.
    [<Literal>]
    let TooLate = 128uy

    /// What became of it, without when it came.
    let inline state (r: byte) = r &&& 127uy

    let isAtWork r = let r = state r in r >= Begun && r <= Told

module internal Owed =
    [<Literal>]
    let Ask = 1uy

    [<Literal>]
    let Close = 2uy

    [<Literal>]
    let Reset = 4uy

module internal Marks =
    /// A response with the notice, or a GOAWAY, went out.
    [<Literal>]
    let Noticed = 1uy

    /// The client has read it.
    [<Literal>]
    let Knows = 2uy

    /// The close went out.
    [<Literal>]
    let Closed = 4uy

    [<Literal>]
    let WasReset = 8uy

    [<Literal>]
    let CloseOrdered = 16uy

    [<Literal>]
    let ResetOrdered = 32uy

    [<Literal>]
    let Hastened = 64uy

module internal Letters =
    [<Literal>]
    let GateEmptied = 1uy

    [<Literal>]
    let ListenersClosed = 2uy

    [<Literal>]
    let Swept = 4uy

    [<Literal>]
    let Sampled = 8uy

    [<Literal>]
    let SuccessorReady = 16uy

    [<Literal>]
    let SuccessorFailed = 32uy

module internal Listener =
    [<Literal>]
    let Closing = 1uy

    [<Literal>]
    let Closed = 2uy

    [<Literal>]
    let Paused = 4uy

    [<Literal>]
    let SuccessorHasIt = 8uy

module internal Successor =
    [<Literal>]
    let Starting = 1uy

    /// It answered, or died.
    [<Literal>]
    let Done = 2uy

    /// No longer waited for, and may answer all the same.
    [<Literal>]
    let Abandoned = 3uy

module internal HookState =
    [<Literal>]
    let Running = 1uy

    [<Literal>]
    let Succeeded = 2uy

    [<Literal>]
    let Failed = 3uy

    /// Its token fired, and it may end or fail all the same.
    [<Literal>]
    let Cancelled = 4uy

    /// It failed after its token fired; the letter is on its way.
    [<Literal>]
    let FailedLate = 5uy

    [<Literal>]
    let Over = 6uy

/// What the proof remembers beside the system, to judge it.
module internal Notes =
    /// A walk told everybody inside.
    [<Literal>]
    let EverybodyKnows = 1uy

    [<Literal>]
    let Forced = 2uy

    [<Literal>]
    let Exited = 4uy

    [<Literal>]
    let Unready = 8uy

    [<Literal>]
    let Fired = 16uy

    [<Literal>]
    let Emptied = 32uy

    [<Literal>]
    let ListenersOrdered = 64uy

    [<Literal>]
    let HostTold = 128uy

/// The composed system: the real lifecycle, gate and connections, and around them everybody who acts on them, each in
/// small steps of its own. Whatever may happen next in a state, it says, one successor after the other; that is all.
[<Sealed>]
type Model(config: Configuration, tables: Tables) =
    let policy = config.Policy
    let events = tables.Events
    let count = config.Clients.Length
    let size = At.Clients + 8 * count
    let s: byte[] = Array.zeroCreate size
    let t: byte[] = Array.zeroCreate size
    let hooks = policy.Hooks
    let mutable naming = false
    let mutable name = ""
    let mutable enabled = 0
    let mutable sink: byte[] -> unit = ignore

    let promise =
        match policy.GracePeriod with
        | ValueSome grace ->
            1 + Tick.count grace + Tick.count (HookGraph.longest hooks AfterDrain)
        | ValueNone -> 0

    /// Whom each hook waits for, told from the names alone.
    let waits =
        [| for i in 0 .. hooks.Length - 1 ->
               [ for j in 0 .. hooks.Length - 1 do
                     if i <> j && hooks[i].Stage = hooks[j].Stage then
                         match hooks[i].WaitsFor with
                         | ValueSome names -> if List.contains hooks[j].Name names then j
                         | ValueNone -> if j < i && hooks[j].WaitsFor.IsNone then j ] |]
    let kickWindow = Tick.count policy.DoubleKick
    let mayKick = policy.DoubleKick > TimeSpan.Zero

    let broken reason = raise (Broken reason)
    let must holds reason = if not holds then broken reason

    let client i = At.Clients + 8 * i
    let has (b: byte) (flag: byte) = b &&& flag <> 0uy
    let set at (flag: byte) = t[at] <- t[at] ||| flag
    let unset at (flag: byte) = t[at] <- t[at] &&& ~~~flag

    let lifeOf (b: byte[]) = BinaryPrimitives.ReadInt32LittleEndian(ReadOnlySpan(b, At.Life, 4))
    let setLife (id: int) = BinaryPrimitives.WriteInt32LittleEndian(Span(t, At.Life, 4), id)
    let ordersOf (b: byte[]) = int (BinaryPrimitives.ReadUInt16LittleEndian(ReadOnlySpan(b, At.Orders, 2)))
    let setOrders (id: int) = BinaryPrimitives.WriteUInt16LittleEndian(Span(t, At.Orders, 2), uint16 id)

    let inTable place =
        place = Place.Registered || place = Place.Retiring || place = Place.Inside || place = Place.Refused
    let inGate place =
        place = Place.Retiring || place = Place.Inside || place = Place.Ending || place >= Place.Unlisted
    let isLeaving (b: byte[]) = tables.Stage(lifeOf b) > Stage.Drilling

    /// An answer to `SampleIdle`: 2, plus 1 if anybody is busy, plus twice the ticks for which nobody was.
    let takenWhilePaused = 64uy
    let answer () = int ((s[At.Sample] &&& ~~~takenWhilePaused) - 2uy)
    let sampledBusy () = answer () &&& 1
    let sampledQuiet () = answer () >>> 1

    /// Clients of one kind are alike: who of them is called the first makes no difference to anything in here.
    let sortClients () =
        for i in 1 .. count - 1 do
            let mutable j = i
            while j > 0
                  && config.Clients[j - 1] = config.Clients[j]
                  && BitConverter.ToUInt64(t, client (j - 1)) > BitConverter.ToUInt64(t, client j) do
                let other = BitConverter.ToUInt64(t, client (j - 1))
                Array.Copy(t, client j, t, client (j - 1), 8)
                BitConverter.TryWriteBytes(Span(t, client j, 8), other) |> ignore
                j <- j - 1

    let mayRun () =
        enabled <- enabled + 1
        if not (has t[At.Notes] Notes.Exited) then
            for i in 0 .. count - 1 do
                let c = client i
                if has t[At.Notes] Notes.EverybodyKnows && t[c + At.Place] = Place.Inside
                   && not (Connection.isRetiring (tables.Word t[c + At.Word])) then
                    broken "somebody inside missed the notice"

    let mutable symmetric = true
    let mutable reduced = true
    let mutable obeyLocal: Effect -> unit = ignore

    /// Orders that touch nothing which anybody else looks at are obeyed with the step that gave them: whatever comes
    /// between makes no difference, so it need not be walked. That this loses nothing is tested.
    let rec obeyLocals () =
        if t[At.Walk] = Walk.None && ordersOf t <> 0 && not (has t[At.Notes] Notes.Exited) then
            match tables.Orders(ordersOf t) with
            | (FailReadiness | RestoreReadiness | FireStopping | StopHost | RefuseHandOver | RefuseResume | RefuseDrill
              | StartHook _ | StartSuccessor as effect) :: _ ->
                setOrders (tables.Rest(ordersOf t))
                obeyLocal effect
                obeyLocals ()
            | _ -> ()

    let forgetKicks () =
        if t[At.Calls] &&& 3uy = 0uy && not (has t[At.Notes] Notes.Exited) then
            t[At.Kick] <- 0uy
            setLife (tables.Unkicked(lifeOf t))

    let finish () =
        if reduced then
            obeyLocals ()
            forgetKicks ()
        mayRun ()
        if symmetric then sortClients ()
        sink t

    /// A successor in the making; what led to it is said in words only when somebody asked for them.
    let startWith what (subject: obj) =
        if naming then name <- $"{what} {subject}"
        Array.Copy(s, t, size)
    let start what = startWith what ""
    let startTo who (i: int) what =
        startWith who ""
        if naming then name <- $"{who} {i} {what}"

    // ---- what the machines order --------------------------------------------------------------------------------

    let busy word = Use.isBusy true true (tables.Word word)

    let isRequestAtWork c = Request.isAtWork t[c + At.First] || Request.isAtWork t[c + At.Second]

    let stepGate event =
        let struct (next, effect) = tables.StepGate(t[At.Gate], event)
        t[At.Gate] <- next
        if effect = Emptied then
            must (not (has t[At.Notes] Notes.Emptied)) "Emptied happened twice"
            set At.Notes Notes.Emptied
            for i in 0 .. count - 1 do
                must (not (inGate t[client i + At.Place])) "Emptied while somebody is inside"
            set At.Letters Letters.GateEmptied
        effect

    /// What nobody has read by now is not read any more.
    let cutUnread i =
        let c = client i
        for r in [ At.First; At.Second ] do
            if Request.state t[c + r] = Request.Arrived then
                // A GOAWAY names the requests that were not taken up: its client knows that it may send them again.
                let excused =
                    config.Clients[i] = Manner.Overlapping
                    || has t[c + r] Request.TooLate
                    || has t[c + At.Marks] Marks.Noticed
                    || has t[At.Notes] Notes.Forced
                    || policy.QuietPeriod <= TimeSpan.Zero
                must excused "a request that had arrived before the sweep looked was cut"
                t[c + r] <- Request.Cut

    let happen i event =
        let c = client i
        let before = t[c + At.Word]
        let struct (next, effect) = tables.StepWord(before, event)
        t[c + At.Word] <- next
        if busy before || busy next then t[At.Lull] <- 0uy
        match effect with
        | Nothing
        | BecameActive
        | BecameIdle
        | BecameHijacked -> ()
        | AskToClose ->
            // On HTTP/1.1 every head looks at the word; who is hijacked is asked in its own protocol, and may go anyway.
            if config.Clients[i] = Manner.Overlapping then set (c + At.Owed) Owed.Ask
        | Close ->
            must (not (has t[c + At.Marks] Marks.CloseOrdered)) "a connection was closed twice"
            must (not (isRequestAtWork c)) "a request in flight was cut by a close"
            set (c + At.Marks) Marks.CloseOrdered
            set (c + At.Owed) Owed.Close
        | Reset ->
            must (has t[At.Notes] Notes.Forced) "a connection was reset though nobody forced"
            must (not (has t[c + At.Marks] Marks.ResetOrdered)) "a connection was reset twice"
            set (c + At.Marks) Marks.ResetOrdered
            set (c + At.Owed) Owed.Reset
        | LeaveGate ->
            must (t[c + At.Place] = Place.Inside) "a connection left twice"
            t[c + At.Place] <- Place.Ending

    let isFinal r =
        let r = Request.state r
        r = Request.Unsent || (r >= Request.Answered && r <= Request.Half)

    /// Gone for good; all that matters of it by now is that everybody got what was owed.
    let forgetClient c place =
        must (isFinal t[c + At.First] && isFinal t[c + At.Second]) "a connection ended, and a request of its got no answer"
        Array.Clear(t, c, 8)
        t[c + At.Place] <- place

    // ---- the mailbox --------------------------------------------------------------------------------------------

    let endWalk () =
        let mutable left = false
        for i in 0 .. count - 1 do
            if t[client i + At.Visit] <> Visit.No then left <- true
        if not left then
            if t[At.Walk] = Walk.Sweep then
                t[At.Swept] <- if t[At.LookAgain] = 255uy then byte (Tick.count policy.QuietPeriod) else t[At.LookAgain]
                set At.Letters Letters.Swept
            else
                if config.Mistake = Mistake.SweepBeforeGate then
                    stepGate (match t[At.Walk] with Walk.Announce -> Announce | Walk.Retire -> Drain | _ -> Shut) |> ignore
                set At.Notes Notes.EverybodyKnows
            t[At.Walk] <- Walk.None
            t[At.LookAgain] <- 0uy

    let startWalk walk =
        t[At.Walk] <- walk
        t[At.LookAgain] <- if walk = Walk.Sweep then 255uy else 0uy
        for i in 0 .. count - 1 do
            if inTable t[client i + At.Place] then t[client i + At.Visit] <- Visit.Due
        endWalk ()

    let changeGate event = if config.Mistake <> Mistake.SweepBeforeGate then stepGate event |> ignore

    let isHookOver state = state >= HookState.Cancelled

    let startHook i =
        for j in waits[i] do
            must (isHookOver t[At.Hooks + j]) "a hook began before one that it waits for was over"
        must (t[At.Hooks + i] = 0uy) "a hook started twice"
        if hooks[i].Stage = AfterDrain && not (has t[At.Notes] Notes.Forced) then
            for k in 0 .. count - 1 do
                must (not (inGate t[client k + At.Place])) "an after-drain hook began while somebody is inside"
        t[At.Hooks + i] <- HookState.Running

    let cancelHook i =
        t[At.Gravity] <- max t[At.Gravity] 1uy
        match t[At.Hooks + i] with
        | HookState.Running -> t[At.Hooks + i] <- HookState.Cancelled
        | HookState.Succeeded
        | HookState.Failed -> t[At.Hooks + i] <- HookState.FailedLate
        | _ -> broken "a hook that does not run was cancelled"

    let exit code =
        let forced = has t[At.Notes] Notes.Forced
        for i in 0 .. count - 1 do
            let c = client i
            let place = t[c + At.Place]
            if not forced then
                must (not (inGate place) && place <> Place.Registered) "it exits while somebody is inside"
                must (place <> Place.Queued || has t[At.Listener] Listener.SuccessorHasIt) "it exits, and somebody waits in its queue"
            for r in [ At.First; At.Second ] do
                must
                    (not (Request.isAtWork t[c + r]) || has t[c + At.Marks] Marks.ResetOrdered)
                    "it exits, and a request was neither answered nor aborted"
        for i in 0 .. hooks.Length - 1 do
            if t[At.Hooks + i] = 0uy then
                must (hooks[i].Stage = BeforeDrain) "it exits, and an after-drain hook never ran"
                t[At.Gravity] <- max t[At.Gravity] 1uy
        must (int t[At.Gravity] = code) $"the exit code is {code}, and what happened makes it {t[At.Gravity]}"
        must (has t[At.Notes] Notes.Fired) "it exits, and Stopping never fired"
        must (has t[At.Notes] Notes.HostTold) "it exits, and the host was never told"
        // Nothing matters any more: all ends are one.
        let life, gravity = lifeOf t, t[At.Gravity]
        Array.Clear t
        setLife life
        t[At.Gravity] <- gravity
        t[At.Notes] <- Notes.Exited

    let obey effect =
        match effect with
        | FailReadiness ->
            must (not (has t[At.Notes] Notes.Unready)) "readiness failed twice"
            set At.Notes Notes.Unready
        | FireStopping ->
            must (not (has t[At.Notes] Notes.Fired)) "Stopping fired twice"
            set At.Notes Notes.Fired
        | AnnounceLeaving ->
            changeGate Announce
            startWalk Walk.Announce
        | RetireConnections ->
            changeGate Drain
            startWalk Walk.Retire
        | AbortConnections ->
            set At.Notes Notes.Forced
            changeGate Shut
            startWalk Walk.Abort
        | SweepConnections -> startWalk Walk.Sweep
        | CloseListeners theirs ->
            must (not (has t[At.Notes] Notes.ListenersOrdered)) "the listeners were closed twice"
            must (has t[At.Notes] Notes.HostTold) "the listeners close, and the host was not told"
            set At.Notes Notes.ListenersOrdered
            set At.Listener Listener.Closing
            if theirs then set At.Listener Listener.SuccessorHasIt
        | StartHook i -> startHook i
        | CancelHook i -> cancelHook i
        | SampleIdle ->
            must (t[At.Sample] = 0uy) "two samples at once"
            t[At.Sample] <- 1uy
        | PauseAccepting -> set At.Listener Listener.Paused
        | ResumeAccepting ->
            must (has t[At.Listener] Listener.Paused) "accepting is resumed that was not paused"
            unset At.Listener Listener.Paused
        | RestoreReadiness ->
            must (has t[At.Notes] Notes.Unready) "readiness was restored that held"
            unset At.Notes Notes.Unready
        | RenewStopping ->
            must (has t[At.Notes] Notes.Fired) "the token was renewed that had not fired"
            must (not (has t[At.Notes] Notes.HostTold)) "it came back, and the host was told"
            unset At.Notes Notes.Fired
            // What hooks of a stop that was undone still have to say is nobody's business, and nothing of it counts.
            Array.Clear(t, At.Hooks, 4)
            t[At.Gravity] <- 0uy
        | WithdrawNotice ->
            unset At.Notes Notes.EverybodyKnows
            changeGate Withdraw
        | StopHost ->
            must (not (has t[At.Notes] Notes.HostTold)) "the host was told twice"
            set At.Notes Notes.HostTold
        | RefuseResume
        | RefuseDrill -> ()
        | StartSuccessor -> t[At.Successor] <- Successor.Starting
        | AbandonSuccessor ->
            if t[At.Successor] = Successor.Starting then t[At.Successor] <- Successor.Abandoned
        | RefuseHandOver -> ()
        | Exit code -> exit code
        | Terminate _ -> broken "it is terminated before it exits"
        | WakeAt _ -> ()

    do obeyLocal <- obey

    let reap i =
        t[client i + At.Visit] <- Visit.No
        happen i Reap

    let hasten i =
        let c = client i
        t[c + At.Visit] <- Visit.No
        must (has t[c + At.Marks] Marks.CloseOrdered || has t[c + At.Marks] Marks.ResetOrdered) "hastened, and was not closed"
        set (c + At.Marks) Marks.Hastened
        cutUnread i

    /// For how long nothing has travelled; a request that nobody has read yet is not silence.
    let quietFor c =
        if config.Mistake = Mistake.DeafToBytes then Tick.span 99
        elif Request.state t[c + At.First] = Request.Arrived || Request.state t[c + At.Second] = Request.Arrived then TimeSpan.Zero
        else Tick.span (int t[c + At.Quiet])

    let look i =
        let c = client i
        let pending = Request.state t[c + At.First] = Request.Produced || Request.state t[c + At.Second] = Request.Produced
        let struct (verdict, wait) = Connection.judge policy.QuietPeriod (quietFor c) pending (tables.Word t[c + At.Word])
        t[At.LookAgain] <- min t[At.LookAgain] (byte (min (Tick.count wait) 254))
        t[c + At.Visit] <-
            match verdict with
            | LeaveAlone -> Visit.No
            | RetireFirst -> Visit.RetiringFirst
            | ReapNow -> Visit.Reaping
            | Hasten -> Visit.Hastening

    let visit i =
        match t[At.Walk], t[client i + At.Visit] with
        | Walk.Sweep, Visit.Due -> look i
        | Walk.Sweep, Visit.RetiringFirst ->
            t[client i + At.Visit] <- Visit.Due
            happen i Retire
        | Walk.Sweep, Visit.Reaping -> reap i
        | Walk.Sweep, _ -> hasten i
        | walk, _ ->
            t[client i + At.Visit] <- Visit.No
            happen i (if walk = Walk.Abort then Abort else Retire)
        endWalk ()

    let walkOn () =
        for i in 0 .. count - 1 do
            if s[client i + At.Visit] <> Visit.No then
                startTo "the mailbox visits connection" i ""
                visit i
                finish ()

    let obeyNext () =
        let effect = List.head (tables.Orders(ordersOf s))
        startWith "the mailbox obeys" effect
        setOrders (tables.Rest(ordersOf s))
        obey effect
        finish ()

    /// What the exit code must come to, told from what happens alone.
    let judge event leaving orders =
        let ordered = tables.Orders orders
        let aborts = List.contains AbortConnections ordered
        let graceOver = policy.GracePeriod.IsSome && promise - int t[At.Left] >= Tick.count policy.GracePeriod.Value
        let mustNotFail i = hooks[i].OnFailure = Force
        let hookFailed () =
            match events[event] with
            | HookFinished(i, _) -> mustNotFail i
            | Woke -> ordered |> List.exists (function CancelHook i -> mustNotFail i | _ -> false)
            | _ -> false
        if event = events.Signal then
            let again = leaving && t[At.Kick] <> 0uy && mayKick && int t[At.Kick] - 1 <= kickWindow
            if again then t[At.Gravity] <- 3uy
            else must (not aborts) "a signal forced that was no double kick"
            t[At.Kick] <- 1uy
        elif event = events.StopNow && aborts then
            t[At.Gravity] <- 3uy
        elif event = events.Failure then
            t[At.Gravity] <- max t[At.Gravity] 1uy
            must (not aborts) "a component that failed forced"
        elif event = events.HostForce && leaving then
            t[At.Gravity] <- max t[At.Gravity] 2uy
        elif event = events.Woke && aborts && graceOver then
            t[At.Gravity] <- max t[At.Gravity] 2uy
        elif aborts && hookFailed () then
            t[At.Gravity] <- max t[At.Gravity] 1uy
        elif aborts then
            broken "connections are aborted, and nobody forced"

    let deliver event =
        let life = lifeOf t
        let leaving = isLeaving t
        let struct (next, orders) = tables.StepLife(life, event)
        judge event leaving orders
        setLife next
        setOrders orders
        if not leaving && isLeaving t then t[At.Left] <- byte promise
        if leaving && not (isLeaving t) then t[At.Left] <- 0uy

    /// An idle exit needs a look that found nobody, at a time when nobody could come in any more.
    let judgeIdleExit () =
        match tables.Life(lifeOf t) with
        | Draining({ Trigger = IdledOut }, _)
        | Hooks({ Trigger = IdledOut }, _)
        | Exited { Trigger = IdledOut } ->
            must (has s[At.Sample] takenWhilePaused) "an idle exit after a look from before accepting was paused"
            must (sampledBusy () = 0 && sampledQuiet () >= events.IdleLimit) "an idle exit while somebody is busy or waits"
        | _ -> ()

    let letter (flag: byte) event =
        if has s[At.Letters] flag then
            startWith "the mailbox takes" events[event]
            unset At.Letters flag
            if flag = Letters.Swept then t[At.Swept] <- 0uy
            if flag = Letters.Sampled then t[At.Sample] <- 0uy
            deliver event
            if flag = Letters.Sampled then judgeIdleExit ()
            finish ()

    let hookLetters () =
        for i in 0 .. hooks.Length - 1 do
            let state = s[At.Hooks + i]
            if state = HookState.Succeeded || state = HookState.Failed || state = HookState.FailedLate then
                startTo "the mailbox takes the end of hook" i ""
                t[At.Hooks + i] <- HookState.Over
                if state = HookState.Failed then t[At.Gravity] <- max t[At.Gravity] 1uy
                deliver (events.HookFinished(i, state <> HookState.Succeeded))
                finish ()

    let call event =
        startWith "from outside:" events[event]
        deliver event
        finish ()

    // Who calls from outside does so at any moment, and the moment at which the mailbox takes it is one too.
    let calls () =
        let left = int s[At.Calls]
        if left &&& 3 > 0 then
            for event in [ events.Signal; events.Request ] do
                startWith "from outside:" events[event]
                t[At.Calls] <- byte (left - 1)
                deliver event
                finish ()
        if left &&& 4 <> 0 && isLeaving s then
            start "the host loses its patience"
            t[At.Calls] <- byte (left &&& ~~~4)
            deliver events.HostForce
            finish ()
        if left &&& 8 <> 0 then
            start "from outside: a hand-over is asked for"
            t[At.Calls] <- byte (left &&& ~~~8)
            deliver events.HandOver
            finish ()
        if left &&& 16 <> 0 then
            start "from outside: the stop or the drill is to be undone"
            t[At.Calls] <- byte (left &&& ~~~16)
            deliver events.Resume
            finish ()
        if left &&& 64 <> 0 && isLeaving s then
            start "from outside: the stop is wanted at once"
            t[At.Calls] <- byte (left &&& ~~~64)
            deliver events.StopNow
            finish ()
        if left &&& 128 <> 0 then
            start "a component fails"
            t[At.Calls] <- byte (left &&& ~~~128)
            deliver events.Failure
            finish ()
        if left &&& 32 <> 0 then
            start "from outside: a drill is asked for"
            t[At.Calls] <- byte (left &&& ~~~32)
            deliver events.Drill
            finish ()

    let wakeUp () =
        if config.Mistake <> Mistake.Sleeps && tables.Due(lifeOf s) = 0 then call events.Woke

    let mailbox () =
        if s[At.Walk] <> Walk.None then walkOn ()
        elif ordersOf s <> 0 then obeyNext ()
        else
            letter Letters.GateEmptied events.GateEmptied
            letter Letters.ListenersClosed events.ListenersClosed
            letter Letters.Swept (events.Swept(int s[At.Swept]))
            letter Letters.Sampled (events.Sampled(sampledBusy (), sampledQuiet ()))
            letter Letters.SuccessorReady events.SuccessorReady
            letter Letters.SuccessorFailed events.SuccessorFailed
            hookLetters ()
            calls ()
            wakeUp ()

    // ---- everybody else -----------------------------------------------------------------------------------------

    let mayAccept () =
        let listener = s[At.Listener]
        if has listener Listener.Closed then false
        elif has listener Listener.Closing then
            not (has listener Listener.SuccessorHasIt) || config.Mistake = Mistake.TakesFromSuccessor
        else not (has listener Listener.Paused)

    /// A walk that is under way may or may not see whoever is added to the table meanwhile.
    let register i what place =
        let added walkSees =
            startTo "connection" i what
            if walkSees then t[client i + At.Visit] <- Visit.Due
            t[client i + At.Place] <- place
            finish ()
        added false
        if s[At.Walk] <> Walk.None then added true

    let enter i =
        let c = client i
        match stepGate Enter with
        | Admit -> Place.Inside
        | AdmitRetiring -> if config.Mistake = Mistake.AdmittedUntold then Place.Inside else Place.Retiring
        | _ ->
            must (has t[At.Notes] Notes.Forced) "somebody was refused though nobody forced"
            t[c + At.Place] <- Place.Refused
            Place.Refused

    let acceptor i =
        let c = client i
        match s[c + At.Place] with
        | Place.Queued when mayAccept () ->
            must
                (not (has s[At.Listener] Listener.SuccessorHasIt))
                "a connection was taken from a queue that belongs to the successor"
            if config.Mistake = Mistake.EnterBeforeRegister then
                startTo "connection" i "enters the gate, and is not in the table"
                let place = enter i
                t[c + At.Place] <-
                    match place with
                    | Place.Refused -> Place.Registered
                    | Place.Inside -> Place.Unlisted
                    | _ -> Place.Unlisted + 1uy
                finish ()
            else
                register i "is accepted and added to the table" Place.Registered
        | Place.Registered ->
            startTo "connection" i "enters the gate"
            t[c + At.Place] <- enter i
            finish ()
        | place when place >= Place.Unlisted ->
            register i "is added to the table" (if place = Place.Unlisted then Place.Inside else Place.Retiring)
        | Place.Retiring ->
            startTo "connection" i "is told to retire as it comes in"
            t[c + At.Place] <- Place.Inside
            happen i Retire
            finish ()
        | Place.Refused ->
            startTo "connection" i "was refused and is taken from the table"
            if t[c + At.Visit] <> Visit.No then
                t[c + At.Visit] <- Visit.No
                endWalk ()
            cutUnread i
            forgetClient c Place.Left
            finish ()
        | _ -> ()

    let listenerCloses () =
        let listener = s[At.Listener]
        if has listener Listener.Closing && not (has listener Listener.Closed) then
            let theirs = has listener Listener.SuccessorHasIt
            let mutable free = true
            for i in 0 .. count - 1 do
                let place = s[client i + At.Place]
                if place = Place.Queued && not theirs then free <- false
                if config.Mistake <> Mistake.ClosedTooSoon
                   && (place = Place.Registered || place = Place.Retiring || place = Place.Refused) then free <- false
            if free then
                start "the listeners are closed"
                set At.Listener Listener.Closed
                for i in 0 .. count - 1 do
                    // Whoever waits is in the successor's queue; whoever comes now goes there, or is refused.
                    if t[client i + At.Place] <= Place.Queued then
                        Array.Clear(t, client i, 8)
                        t[client i + At.Place] <- Place.Left
                set At.Letters Letters.ListenersClosed
                finish ()

    let travels c = t[c + At.Quiet] <- 0uy

    let send i r =
        let c = client i
        startTo "client" i "sends a request"
        let late = s[c + At.Visit] >= Visit.Reaping || has s[c + At.Marks] Marks.CloseOrdered
        let what = if config.Clients[i] = Manner.Half then Request.Half else Request.Arrived
        t[c + r] <- if late && what = Request.Arrived then what ||| Request.TooLate else what
        travels c
        finish ()

    let clientActs i =
        let c = client i
        let place = s[c + At.Place]
        let marks = s[c + At.Marks]
        if place = Place.Away then
            if not (has s[At.Listener] Listener.Closed) then
                startTo "client" i "connects"
                t[c + At.Place] <- Place.Queued
                finish ()
        elif (place = Place.Queued || inTable place)
             && not (has marks (Marks.Knows ||| Marks.Closed ||| Marks.WasReset))
             && Connection.phase (tables.Word s[c + At.Word]) <> Hijacked then
            if s[c + At.First] = Request.Unsent then send i At.First
            elif config.Requests = 2 && s[c + At.Second] = Request.Unsent then
                match config.Clients[i] with
                | Manner.Overlapping -> send i At.Second
                | Manner.Serial when Request.state s[c + At.First] = Request.Answered -> send i At.Second
                | _ -> ()

    let request i r =
        let c = client i
        match Request.state s[c + r] with
        | Request.Arrived when not (has s[c + At.Marks] (Marks.Closed ||| Marks.WasReset ||| Marks.Hastened)) ->
            startTo "connection" i "a request is read and begins"
            t[c + r] <- Request.Begun
            happen i Begin
            finish ()
        | Request.Begun when config.Clients[i] = Manner.Upgrading ->
            startTo "connection" i "is upgraded"
            happen i Hijack
            t[c + r] <- Request.Answered
            finish ()
        | Request.Begun when config.Clients[i] = Manner.Serial ->
            startTo "connection" i "the response head is decided"
            t[c + r] <- if Connection.mustTell (tables.Word t[c + At.Word]) then Request.Telling else Request.Plain
            finish ()
        | Request.Telling ->
            startTo "connection" i "the head goes out with the notice"
            t[c + r] <- Request.Told
            set (c + At.Marks) Marks.Noticed
            happen i Tell
            finish ()
        | Request.Begun
        | Request.Plain
        | Request.Told ->
            startTo "connection" i "the response is complete"
            // Serial clients are told on a head or never; whoever overlaps learns it from the GOAWAY of the close.
            must
                (config.Clients[i] <> Manner.Serial || s[c + r] = Request.Told || s[c + At.Visit] <> Visit.Reaping || policy.QuietPeriod <= TimeSpan.Zero)
                "answered since the look that found it quiet, and not told, and will be closed"
            t[c + r] <- Request.Produced
            travels c
            happen i End
            finish ()
        | Request.Produced ->
            startTo "client" i "has its answer"
            t[c + r] <- Request.Answered
            travels c
            if has t[c + At.Marks] Marks.Noticed then set (c + At.Marks) Marks.Knows
            finish ()
        | _ -> ()

    let transport i =
        let c = client i
        let marks = s[c + At.Marks]
        if has s[c + At.Owed] Owed.Ask then
            startTo "connection" i "GOAWAY"
            unset (c + At.Owed) Owed.Ask
            set (c + At.Marks) (Marks.Noticed ||| Marks.Knows)
            happen i Tell
            finish ()
        if has s[c + At.Owed] Owed.Close then
            startTo "connection" i "the close goes out"
            unset (c + At.Owed) Owed.Close
            set (c + At.Marks) Marks.Closed
            cutUnread i
            finish ()
        if has s[c + At.Owed] Owed.Reset then
            startTo "connection" i "the reset goes out"
            unset (c + At.Owed) Owed.Reset
            set (c + At.Marks) Marks.WasReset
            cutUnread i
            for r in [ At.First; At.Second ] do
                if Request.isAtWork t[c + r] || t[c + r] = Request.Produced then t[c + r] <- Request.Aborted
            finish ()
        let first, second = s[c + At.First], s[c + At.Second]
        let atWork r = let r = Request.state r in r >= Request.Begun && r <= Request.Produced
        let closes =
            has marks Marks.WasReset
            || (has marks Marks.Closed && not (atWork first || atWork second)
                && (first <> Request.Half || has marks Marks.Hastened))
            || Connection.phase (tables.Word s[c + At.Word]) = Hijacked
        if closes || config.ClientsLeave then
            startTo "connection" i "its transport is gone"
            if t[c + At.Visit] <> Visit.No then
                t[c + At.Visit] <- Visit.No
                endWalk ()
            for r in [ At.First; At.Second ] do
                if not (isFinal t[c + r]) then
                    must (not closes || has t[At.Notes] Notes.Forced || Request.state t[c + r] = Request.Arrived) "ended with work"
                    t[c + r] <- Request.Deserted
            happen i Ended
            finish ()

    let leave i =
        startTo "connection" i "leaves the gate"
        forgetClient (client i) Place.Left
        stepGate Leave |> ignore
        if config.Mistake = Mistake.LeavesTwice then stepGate Leave |> ignore
        finish ()

    let hookEnds i =
        match s[At.Hooks + i] with
        | HookState.Running ->
            startTo "hook" i "succeeds"
            t[At.Hooks + i] <- HookState.Succeeded
            finish ()
            startTo "hook" i "fails"
            t[At.Hooks + i] <- HookState.Failed
            finish ()
        | HookState.Cancelled ->
            startTo "hook" i "ends after its cancellation"
            t[At.Hooks + i] <- HookState.FailedLate
            finish ()
        | _ -> ()

    let sample () =
        if s[At.Sample] = 1uy then
            start "somebody counts what is busy"
            let mutable busyNow = 0
            for i in 0 .. count - 1 do
                let c = client i
                if (inTable t[c + At.Place] && busy t[c + At.Word]) || t[c + At.Place] = Place.Queued then busyNow <- 1
            let paused = if has t[At.Listener] Listener.Paused then takenWhilePaused else 0uy
            t[At.Sample] <- paused ||| (2uy + byte busyNow + 2uy * (if busyNow = 1 then 0uy else t[At.Lull]))
            set At.Letters Letters.Sampled
            finish ()

    let successor () =
        let answer flag =
            start (if flag = Letters.SuccessorReady then "the successor accepts" else "the successor fails")
            t[At.Successor] <- Successor.Done
            set At.Letters flag
            finish ()
        if s[At.Successor] = Successor.Starting || s[At.Successor] = Successor.Abandoned then
            answer Letters.SuccessorReady
            answer Letters.SuccessorFailed

    let clock () =
        let hookWaits = Seq.exists (fun i -> let h = s[At.Hooks + i] in h = 2uy || h = 3uy || h = 5uy) (seq { 0 .. hooks.Length - 1 })
        let due = tables.Due(lifeOf s)
        let quiet = s[At.Walk] = Walk.None && ordersOf s = 0 && s[At.Letters] = 0uy && not hookWaits
        if quiet && (due <> 0 || config.Mistake = Mistake.Sleeps) && not (config.Polite && enabled > 0) then
            start "a tick of the clock"
            let stage = tables.Stage(lifeOf s)
            for i in 0 .. hooks.Length - 1 do
                let isItsStage = stage = (if hooks[i].Stage = BeforeDrain then Stage.BeforeDrainHooks else Stage.AfterDrainHooks)
                let isFree = waits[i] |> List.forall (fun j -> isHookOver s[At.Hooks + j])
                must (not isItsStage || s[At.Hooks + i] <> 0uy || not isFree) "a hook waits, and for nobody"
            setLife (tables.Tick(lifeOf s))
            if t[At.Left] > 0uy then
                must (t[At.Left] > 1uy) "the grace period and the limits of the after-drain hooks are over, and it has not exited"
                t[At.Left] <- t[At.Left] - 1uy
            if t[At.Kick] > 0uy then t[At.Kick] <- byte (min (int t[At.Kick] + 1) (kickWindow + 2))
            let mutable anybody = false
            for i in 0 .. count - 1 do
                let c = client i
                if inTable t[c + At.Place] then
                    t[c + At.Quiet] <- byte (min (int t[c + At.Quiet] + 1) events.MostQuiet)
                    if busy t[c + At.Word] then anybody <- true
            if policy.IdleLimit.IsSome then
                t[At.Lull] <- if anybody then 0uy else byte (min (int t[At.Lull] + 1) events.IdleLimit)
            finish ()

    let expand () =
        if not (has s[At.Notes] Notes.Exited) then
            enabled <- 0
            mailbox ()
            for i in 0 .. count - 1 do
                let place = s[client i + At.Place]
                if place <> Place.Left then
                    acceptor i
                    clientActs i
                    if place = Place.Inside then
                        request i At.First
                        request i At.Second
                        transport i
                    elif place = Place.Ending then leave i
            listenerCloses ()
            for i in 0 .. hooks.Length - 1 do
                hookEnds i
            sample ()
            successor ()
            clock ()

    /// How many bytes a state has.
    member _.Size = size

    member _.Lives = tables.Lives

    /// Where everything begins: a server that runs, and nobody there yet.
    member _.Initial =
        let first = Array.zeroCreate<byte> size
        first[At.Calls] <-
            byte config.Stops
            ||| (if config.HostForces then 4uy else 0uy)
            ||| (if config.HandOver then 8uy else 0uy)
            ||| (if config.Resumes then 16uy else 0uy)
            ||| (if config.Drills then 32uy else 0uy)
            ||| (if config.StopsNow then 64uy else 0uy)
            ||| (if config.Fails then 128uy else 0uy)
        first

    /// Switched off to test that the reduction loses nothing.
    member _.Symmetric with get () = symmetric and set value = symmetric <- value

    /// Switched off to test that nothing is lost when orders that concern nobody else are obeyed at once.
    member _.Reduced with get () = reduced and set value = reduced <- value

    /// The same state with its clients in their order.
    member _.Canonical(state: byte[]) =
        Array.Copy(state, t, size)
        sortClients ()
        Array.copy t

    /// All that may happen next. The bytes given to the sink are overwritten by the next one.
    member _.Expand(state: byte[], into: byte[] -> unit) =
        Array.Copy(state, s, size)
        sink <- into
        expand ()

    /// As `Expand`, and says what happens each time.
    member m.Explain(state: byte[], into: string -> byte[] -> unit) =
        naming <- true
        try
            m.Expand(state, fun next -> into name next)
        finally
            naming <- false

    /// What was about to happen when a rule was broken.
    member _.Name = name

    member _.IsOver(state: byte[]) = has state[At.Notes] Notes.Exited

    member _.IsLeaving(state: byte[]) = isLeaving state

    /// Whether nobody needs the server: nothing is busy and nobody waits.
    member _.IsNeeded(state: byte[]) =
        Seq.exists
            (fun i -> state[client i + At.Place] = Place.Queued || (inTable state[client i + At.Place] && busy state[client i + At.Word]))
            (seq { 0 .. count - 1 })

    /// The stage that a state is in.
    member _.Stage(state: byte[]) = tables.Stage(lifeOf state)

    /// How it ended, for whoever compares two walks: the trigger, what went wrong, and the exit code.
    member _.Ending(state: byte[]) =
        match tables.Life(lifeOf state) with
        | Exited s -> $"%A{s.Trigger} %A{s.Troubles} {state[At.Gravity]}"
        | other -> failwith $"not an ending: %A{other}"
