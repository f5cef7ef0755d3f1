/// A second opinion on what went wrong in a life, and so on its exit code: read from the events and the orders of a
/// trace alone, never from the states that the core kept.
module Graceful.Core.Tests.LifecycleOracle

open System
open Graceful.Core

type private Memory = { Running: Map<int, Instant>; Started: Set<int>; Found: Trouble list }

let private once trouble found = if List.contains trouble found then found else trouble :: found

let private observe trace memory step =
    let policy = trace.Policy
    let draining = Lifecycle.stage step.Before < Stage.AfterDrainHooks
    let graceOver = draining && policy.GracePeriod |> ValueOption.exists (fun grace -> step.Now >= trace.Stopped + grace)
    let cutOff = step.Orders |> List.exists (function AbortConnections | CancelHook _ | Terminate _ -> true | _ -> false)
    let cancelled i =
        // On time that ran out while nobody forces it was the hook's own time.
        if step.Event = Woke && not graceOver && step.Now >= memory.Running[i] then TimedOut else Cancelled
    let ended =
        [ match step.Event with
          | HookFinished(i, result) when memory.Running.ContainsKey i -> i, result
          | _ -> ()
          for order in step.Orders do
              match order with
              | CancelHook i -> i, cancelled i
              | _ -> () ]
    let fatal (i, result) = policy.Hooks[i].OnFailure = Force && (match result with Failed _ | TimedOut -> true | _ -> false)
    let cause =
        match step.Event with
        | StopRequested _ when cutOff -> Some SecondSignal
        | ForceRequested cause when cutOff -> Some cause
        | Woke when graceOver && cutOff -> Some GracePeriodOver
        | _ -> if List.exists fatal ended then Some HookFailed else None
    let skipped =
        if not (List.contains AbortConnections step.Orders) then []
        else
            [ for i in 0 .. policy.Hooks.Length - 1 do
                  if policy.Hooks[i].Stage = BeforeDrain && not (memory.Started.Contains i) then i, Skipped ]
    let begun = step.Orders |> List.choose (function StartHook i -> Some i | _ -> None)
    let found =
        match step.Event with
        | StopRequested(ComponentFailed(name, message)) when Lifecycle.stage step.Before <> Stage.Exited ->
            once (ComponentTrouble(name, message)) memory.Found
        | _ -> memory.Found
    let found = [ for i, result in ended @ skipped do if result <> Succeeded then HookTrouble(policy.Hooks[i].Name, result) ] @ found
    { Running =
        begun
        |> List.fold
            (fun running i -> Map.add i (step.Now + policy.Hooks[i].TimeLimit) running)
            (ended |> List.fold (fun running (i, _) -> Map.remove i running) memory.Running)
      Started = Set.union memory.Started (set begun)
      Found = (match cause with Some cause -> once (Forced cause) found | None -> found) }

/// Everything that went wrong, in no order that matters.
let troubles trace =
    (trace.Steps |> List.fold (observe trace) { Running = Map.empty; Started = Set.empty; Found = [] }).Found

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
