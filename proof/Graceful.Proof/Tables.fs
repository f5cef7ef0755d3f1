namespace Graceful.Proof

open System
open System.Collections.Generic
open Graceful.Core

/// A rule that does not hold, in words.
exception Broken of reason: string

/// Everything that may be put before the lifecycle, under a number.
[<Sealed>]
type Events(config: Configuration) =
    let policy = config.Policy
    let most = Tick.count (max policy.QuietPeriod Tick.unit)
    let idle = policy.IdleLimit |> ValueOption.map Tick.count |> ValueOption.defaultValue 0
    let sampled = 13 + most + 1
    let hooks = sampled + 2 * (idle + 1)
    let all =
        [| yield! [ StopRequested(Signal 15); StopRequested Requested; ForceRequested HostTimedOut ]
           yield! [ HandOverRequested; SuccessorReady; SuccessorFailed "it did not start" ]
           yield! [ ListenersClosed; GateEmptied; Woke; ResumeRequested; DrillRequested Tick.unit ]
           yield! [ ForceRequested StopNow; StopRequested(ComponentFailed("queue", "lost")) ]
           yield! [ for wait in 0..most -> ConnectionsSwept(Tick.span wait) ]
           yield! [ for quiet in 0..idle do for busy in 0..1 -> IdleSampled(busy, Tick.span quiet) ]
           yield! [ for hook in 0 .. policy.Hooks.Length - 1 do
                        for result in [ Succeeded; Failed "it broke" ] -> HookFinished(hook, result) ] |]

    member _.Count = all.Length
    member _.Item with get index = all[index]
    member _.Signal = 0
    member _.Request = 1
    member _.HostForce = 2
    member _.HandOver = 3
    member _.SuccessorReady = 4
    member _.SuccessorFailed = 5
    member _.ListenersClosed = 6
    member _.GateEmptied = 7
    member _.Woke = 8
    member _.Resume = 9
    member _.Drill = 10
    member _.StopNow = 11
    member _.Failure = 12
    member _.Swept(wait: int) = 13 + min wait most
    member _.Sampled(busy: int, quiet: int) = sampled + 2 * (min quiet idle) + busy
    member _.HookFinished(hook: int, failed: bool) = hooks + 2 * hook + (if failed then 1 else 0)
    /// How long a silence is counted; longer ones are alike.
    member _.MostQuiet = most
    member _.IdleLimit = idle

/// The real machines of the core. Each step is taken once by the real `step`, and from then on looked up: the walk
/// handles numbers, and the decisions remain the core's.
[<Sealed>]
type Tables(config: Configuration, rule: Lifecycle -> Event -> Lifecycle -> Effect list -> unit) =
    let policy = config.Policy
    let events = Events config
    let now = Instant 0L

    let words = List<Connection>()
    let wordIds = Dictionary<Connection, int>()
    let wordSteps = Array.create (256 * 16) -1
    let word (c: Connection) =
        match wordIds.TryGetValue c with
        | true, id -> id
        | _ ->
            if words.Count = 256 then failwith "more words than a byte can number"
            wordIds.Add(c, words.Count)
            words.Add c
            words.Count - 1
    let numberOf event =
        match event with
        | Begin -> 0
        | End -> 1
        | Tell -> 2
        | MarkInUse -> 3
        | MarkIdle -> 4
        | Hijack -> 5
        | Retire -> 6
        | Reap -> 7
        | Abort -> 8
        | Ended -> 9
        | Shed -> 10
        | Disown -> 11
    let effects = [| Nothing; BecameActive; BecameIdle; BecameHijacked; AskToClose; Close; Reset; LeaveGate |]

    let gates = List<Gate>()
    let gateIds = Dictionary<Gate, int>()
    let gate (g: Gate) =
        match gateIds.TryGetValue g with
        | true, id -> id
        | _ ->
            gateIds.Add(g, gates.Count)
            gates.Add g
            gates.Count - 1

    let lives = List<Lifecycle>()
    let lifeIds = Dictionary<Lifecycle, int>(HashIdentity.Structural)
    let lifeSteps = List<int64[]>()
    let dues = List<int>()
    let shifted = List<int>()
    let unkicked = List<int>()
    let stages = List<Stage>()
    let orders = List<Effect list>()
    let orderTails = List<int>()
    let orderIds = Dictionary<Effect list, int>(HashIdentity.Structural)

    let rec order (list: Effect list) =
        match orderIds.TryGetValue list with
        | true, id -> id
        | _ ->
            let tail = match list with [] -> 0 | _ :: rest -> order rest
            orderIds.Add(list, orders.Count)
            orders.Add list
            orderTails.Add tail
            orders.Count - 1

    let life (state: Lifecycle) =
        match lifeIds.TryGetValue state with
        | true, id -> id
        | _ ->
            let id = lives.Count
            lifeIds.Add(state, id)
            lives.Add state
            lifeSteps.Add(Array.create events.Count -1L)
            dues.Add(match Lifecycle.nextDue state with ValueSome due -> max 0 (Tick.count (due - now)) | ValueNone -> -1)
            shifted.Add -1
            unkicked.Add -1
            stages.Add(Lifecycle.stage state)
            id

    let withoutKick state =
        let clear s = { s with LastKick = ValueNone }
        match state with
        | Draining(s, stage) -> Draining(clear s, stage)
        | Hooks(s, run) -> Hooks(clear s, run)
        | Exited s -> Exited(clear s)
        | Running _
        | IdleExpired
        | Drilling _ -> state

    // Moments are counted from now. What has passed is past, however long ago, so that there is an end to the states:
    // the core only ever asks whether a moment was reached, and whether a signal lies within the window.
    let tickOn (Instant ticks) = Instant(max 0L (ticks - Tick.unit.Ticks))
    let window = policy.DoubleKick.Ticks + Tick.unit.Ticks
    let forget (Instant ticks) = Instant(max -window (ticks - Tick.unit.Ticks))
    let runTicks progress =
        { progress with HookProgress.Running = progress.Running |> List.map (fun run -> { run with Due = tickOn run.Due }) }
    let shutdownTicks (s: Shutdown) =
        let back = (match s.Return with MayResume idle -> MayResume(ValueOption.map tickOn idle) | NoReturn -> NoReturn)
        { s with Return = back; LastKick = ValueOption.map forget s.LastKick; Deadline = ValueOption.map tickOn s.Deadline }
    let tick state =
        match state with
        | Running(successor, idle) ->
            let successor = match successor with Starting due -> Starting(tickOn due) | Absent -> Absent
            Running(successor, ValueOption.map tickOn idle)
        | IdleExpired -> IdleExpired
        | Drilling(until, idle) -> Drilling(tickOn until, ValueOption.map tickOn idle)
        | Draining(s, stage) ->
            let stage =
                match stage with
                | RunningBeforeHooks progress -> RunningBeforeHooks(runTicks progress)
                | LameDuck until -> LameDuck(tickOn until)
                | ClosingListeners sweep -> ClosingListeners(ValueOption.map tickOn sweep)
                | AwaitingEmptied sweep -> AwaitingEmptied(ValueOption.map tickOn sweep)
            Draining(shutdownTicks s, stage)
        | Hooks(s, progress) -> Hooks(shutdownTicks s, runTicks progress)
        | Exited s -> Exited(shutdownTicks s)

    do
        word Connection.initial |> ignore
        gate Gate.initial |> ignore
        order [] |> ignore
        life (Lifecycle.initial policy now) |> ignore

    member _.Events = events

    member _.Word(id: byte) = words[int id]

    /// The word after an event, and the effect.
    member _.StepWord(id: byte, event: ConnectionEvent) : struct (byte * ConnectionEffect) =
        let key = int id * 16 + numberOf event
        if wordSteps[key] < 0 then
            let struct (next, effect) = Connection.step event words[int id]
            wordSteps[key] <- word next ||| (Array.IndexOf(effects, effect) <<< 8)
        let known = wordSteps[key]
        struct (byte known, effects[known >>> 8])

    /// The gate after an event, and the effect.
    member _.StepGate(id: byte, event: GateEvent) : struct (byte * GateEffect) =
        let struct (next, effect) = Gate.step event gates[int id]
        struct (byte (gate next), effect)

    member _.Gate(id: byte) = gates[int id]

    member _.Life id = lives[id]
    member _.Stage id = stages[id]
    member _.Lives = lives.Count

    /// In how many ticks it wants to be woken; negative when it does not.
    member _.Due id = dues[id]

    /// The same state one tick later.
    member _.Tick id =
        if shifted[id] < 0 then shifted[id] <- life (tick lives[id])
        shifted[id]

    /// The same state, when nobody will signal any more: only a signal ever asks for the one before it.
    member _.Unkicked id =
        if unkicked[id] < 0 then unkicked[id] <- life (withoutKick lives[id])
        unkicked[id]

    /// The lifecycle after an event, and what it orders beside the wake-up, which follows from the state.
    member _.StepLife(id, event: int) : struct (int * int) =
        let known = lifeSteps[id][event]
        if known >= 0L then
            struct (int (known &&& 0xFFFFFFFFL), int (known >>> 32))
        else
            let before = lives[id]
            let struct (next, effects) = Lifecycle.step policy now events[event] before
            rule before events[event] next effects
            let nextId = life next
            let wanted = effects |> List.filter (function WakeAt _ -> false | _ -> true)
            let wanted = if config.Mistake = Mistake.OrdersBackwards then List.rev wanted else wanted
            let ordersId = order wanted
            lifeSteps[id][event] <- (int64 ordersId <<< 32) ||| int64 nextId
            struct (nextId, ordersId)

    member _.Orders(id: int) = orders[id]
    member _.Rest(id: int) = orderTails[id]
