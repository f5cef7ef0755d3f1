/// A second opinion on what went wrong in a life, and so on its exit code: read from the events and the orders of a
/// trace alone, never from the states that the core kept.
module Graceful.Core.Tests.LifecycleOracle

open System
open Graceful.Core

let private cause event =
    match event with
    | StopRequested _ -> SecondSignal
    | ForceRequested cause -> cause
    | Woke
    | IdleSampled _
    | ListenersClosed
    | ConnectionsSwept _
    | GateEmptied
    | HookFinished _
    | HandOverRequested
    | SuccessorReady
    | SuccessorFailed _ -> GracePeriodOver

type private Memory = { Running: int option; Started: Set<int>; Found: Trouble list }

let private once trouble found = if List.contains trouble found then found else trouble :: found

let private observe (policy: Policy) memory step =
    let aborted = List.contains AbortConnections step.Orders
    let name i = policy.Hooks[i].Name
    let finished memory =
        match step.Event, memory.Running with
        | HookFinished(i, result), Some running when i = running ->
            { memory with
                Running = None
                Found = if result = Succeeded then memory.Found else HookTrouble(name i, result) :: memory.Found }
        | StopRequested(ComponentFailed(name, message)), _ when Lifecycle.stage step.Before <> Stage.Exited ->
            { memory with Found = once (ComponentTrouble(name, message)) memory.Found }
        | _ -> memory
    let order memory effect =
        match effect with
        | StartHook i -> { memory with Running = Some i; Started = memory.Started.Add i }
        | CancelHook i ->
            // On time that ran out while connections stay, it was the hook's own time.
            let result = if step.Event = Woke && not aborted then TimedOut else Cancelled
            let found = HookTrouble(name i, result) :: memory.Found
            { memory with Running = None; Found = if result = Cancelled then once (Forced(cause step.Event)) found else found }
        | AbortConnections ->
            let skipped =
                [ for i in 0 .. policy.Hooks.Length - 1 do
                      if policy.Hooks[i].Stage = BeforeDrain && not (memory.Started.Contains i) then
                          HookTrouble(name i, Skipped) ]
            { memory with Found = once (Forced(cause step.Event)) (skipped @ memory.Found) }
        | Terminate _ -> { memory with Found = once (Forced(cause step.Event)) memory.Found }
        | _ -> memory
    step.Orders |> List.fold order (finished memory)

/// Everything that went wrong, in no order that matters.
let troubles trace =
    let memory =
        trace.Steps |> List.fold (observe trace.Policy) { Running = None; Started = Set.empty; Found = [] }
    memory.Found

let exitCode trace =
    let found = troubles trace
    if List.contains (Forced SecondSignal) found || List.contains (Forced StopNow) found then 3
    elif List.contains (Forced GracePeriodOver) found || List.contains (Forced HostTimedOut) found then 2
    elif found.IsEmpty then 0
    else 1

/// Whether a signal is a kick that forces: it follows the one before it, of those since the stop began, in the window.
let kicks trace =
    let rec walk last steps =
        match steps with
        | [] -> []
        | { Event = StopRequested(Signal _); Now = now } as step :: rest when now >= trace.Stopped ->
            let forces =
                match last with
                | Some(last: Instant) ->
                    trace.Policy.DoubleKick > TimeSpan.Zero && now - last <= trace.Policy.DoubleKick
                | None -> false
            (step, forces) :: walk (Some now) rest
        | _ :: rest -> walk last rest
    trace.Steps
    |> List.skipWhile (fun step -> not (List.contains FireStopping step.Orders))
    |> walk None
