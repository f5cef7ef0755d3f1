/// Reading a trace: what the properties of a life are said in.
module Graceful.Core.Tests.LifecycleTrace

open System
open Graceful.Core

let orders trace = trace.Steps |> List.collect _.Orders
let count effect trace = orders trace |> List.filter ((=) effect) |> List.length
let every holds trace = trace.Steps |> List.forall holds

let shutdown state =
    match state with
    | Draining(s, _)
    | Hooks(s, _)
    | Exited s -> Some s
    | Running _
    | IdleExpired
    | Drilling _ -> None

let leaving state = (shutdown state).IsSome
let isBack step = leaving step.Before && not (leaving step.After)

/// What came after the last stop that was undone, or the whole life: in it there is one way out.
let lastChapter trace =
    match trace.Steps |> List.tryFindIndexBack isBack with
    | None -> trace
    | Some i ->
        let steps = List.skip (i + 1) trace.Steps
        let stopped = steps |> List.find (fun s -> List.contains FireStopping s.Orders)
        { trace with Steps = steps; Stopped = stopped.Now }
let isExited state = Lifecycle.stage state = Stage.Exited
let isExit effect = (match effect with Exit _ -> true | _ -> false)
let isClosing effect = (match effect with CloseListeners _ -> true | _ -> false)
let unchanged step = step.After = step.Before && step.Orders.IsEmpty
let hooksOf stage policy = [ for i in 0 .. policy.Hooks.Length - 1 do if policy.Hooks[i].Stage = stage then i ]
let started trace = orders trace |> List.choose (function StartHook i -> Some i | _ -> None)

/// Those that a hook waits for, as the documentation of `Hook.WaitsFor` has it.
let predecessors policy i =
    let rest = hooksOf policy.Hooks[i].Stage policy |> List.filter ((<>) i)
    match policy.Hooks[i].WaitsFor with
    | ValueSome names -> rest |> List.filter (fun j -> List.contains policy.Hooks[j].Name names)
    | ValueNone -> rest |> List.filter (fun j -> j < i && policy.Hooks[j].WaitsFor.IsNone)

let startedOf stage trace = started trace |> List.filter (fun i -> trace.Policy.Hooks[i].Stage = stage)
let forced trace = count AbortConnections trace > 0
let trigger trace = trace.Steps |> List.tryPick (fun s -> shutdown s.After) |> Option.get |> _.Trigger

/// The orders before the first that is `wanted`, or all of them.
let before wanted trace = orders trace |> List.takeWhile (wanted >> not)

/// Where in a trace something is first ordered.
let position wanted trace = orders trace |> List.tryFindIndex wanted |> Option.defaultValue Int32.MaxValue
