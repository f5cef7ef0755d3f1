/// Kicks, force, troubles and the exit code, over every generated life.
module Graceful.Core.Tests.LifecycleForce

open System
open Graceful.Core
open Graceful.Core.Tests.LifecycleScript
open Graceful.Core.Tests.LifecycleTrace
open Xunit

/// The last word: a signal after the exit may still make it worse.
let private code trace =
    orders trace |> List.choose (function Exit code | Terminate code -> Some code | _ -> None) |> List.last


let private underWay state = leaving state && not (isExited state)

/// Connections are aborted, or where none are left, the after-drain hook that runs is cut off.
let private cutsShort step =
    step.Orders |> List.exists (fun order ->
        match order with
        | AbortConnections -> true
        | CancelHook _ -> step.Event <> Woke
        | _ -> false)

[<Fact>]
let ``a forced stop aborts connections once, and only once the listeners close`` () =
    forAllLives (fun t ->
        let all = orders t
        match List.tryFindIndex ((=) AbortConnections) all with
        | None -> true
        | Some i ->
            (all |> List.filter ((=) AbortConnections) |> List.length) = 1
            && all |> List.take i |> List.exists (function CloseListeners _ -> true | _ -> false))

[<Fact>]
let ``ForceRequested forces wherever a shutdown is under way, and nowhere else`` () =
    forAllLives (every (fun s ->
        match s.Event, s.Before with
        | ForceRequested _, Draining _ -> List.contains AbortConnections s.Orders
        | ForceRequested StopNow, Hooks _ -> unchanged s
        | ForceRequested _, Hooks(_, progress) ->
            let all = [ for run in progress.Running -> CancelHook run.Index ]
            List.truncate all.Length s.Orders = all
        | ForceRequested _, (Running _ | IdleExpired | Drilling _ | Exited _) -> unchanged s
        | _ -> true))

/// Somebody beside the application wants the stop: that is all that changes.
let private isTold step =
    step.Orders = [ StopHost ]
    && Lifecycle.mayResume step.Before && not (Lifecycle.mayResume step.After)
    && Lifecycle.stage step.After = Lifecycle.stage step.Before
    && Lifecycle.nextDue step.After = Lifecycle.nextDue step.Before

[<Fact>]
let ``only signals kick`` () =
    forAllLives (every (fun s ->
        match s.Event with
        | StopRequested Requested -> not (underWay s.Before) || unchanged s
        | StopRequested(HostStopped | IdledOut | HandedOver | ConnectionEnded) -> not (underWay s.Before) || unchanged s || isTold s
        | _ -> true))

[<Fact>]
let ``a signal forces exactly when it follows another within the window`` () =
    forAllLives (fun t ->
        LifecycleOracle.kicks t |> List.forall (fun (step, forces) ->
            not (underWay step.Before) || cutsShort step = forces))

[<Fact>]
let ``after the exit a signal within the window of the last one ends the process, and nothing else does`` () =
    forAllLives (fun t ->
        let signals = LifecycleOracle.kicks t
        t.Steps |> List.forall (fun step ->
            let ends = signals |> List.exists (fun (signal, forces) -> obj.ReferenceEquals(signal, step) && forces)
            not (isExited step.Before)
            || step.Orders =
                (match step.Event with
                 | _ when ends -> [ Terminate 3 ]
                 | HandOverRequested -> [ RefuseHandOver ]
                 | ResumeRequested -> [ RefuseResume ]
                 | DrillRequested _ -> [ RefuseDrill ]
                 | _ -> [])))

[<Fact>]
let ``a signal that does not force changes nothing but when the last kick was`` () =
    forAllLives (fun t ->
        LifecycleOracle.kicks t |> List.forall (fun (step, forces) ->
            forces || not (underWay step.Before)
            || ((step.Orders.IsEmpty || isTold step)
                && Lifecycle.stage step.After = Lifecycle.stage step.Before
                && Lifecycle.nextDue step.After = Lifecycle.nextDue step.Before)))

[<Fact>]
let ``nothing is forced but by the deadline, a second signal, a failed hook that does, or whoever may`` () =
    forAllLives (fun t ->
        let forces i = t.Policy.Hooks[i].OnFailure = Force
        t |> every (fun s ->
            not (List.contains AbortConnections s.Orders)
            || (match s.Event, s.Before with
                | (ForceRequested _ | StopRequested(Signal _)), Draining _ -> true
                | HookFinished(i, (Failed _ | TimedOut)), Draining(_, RunningBeforeHooks _) -> forces i
                | Woke, Draining({ Deadline = ValueSome deadline }, _) when s.Now >= deadline -> true
                | Woke, Draining(_, RunningBeforeHooks progress) ->
                    progress.Running |> List.exists (fun run -> s.Now >= run.Due && forces run.Index)
                | _ -> false)))

[<Fact>]
let ``a hook that fails and must not cuts its stage short, and no other does`` () =
    forAllLives (fun t ->
        t |> every (fun s ->
            match s.Event, s.Before with
            | HookFinished(i, (Failed _ | TimedOut)), Draining(_, RunningBeforeHooks progress)
                when progress.Running |> List.exists (fun run -> run.Index = i) ->
                List.contains AbortConnections s.Orders = (t.Policy.Hooks[i].OnFailure = Force)
            | HookFinished(i, result), Hooks(_, progress) when progress.Running |> List.exists (fun run -> run.Index = i) ->
                let fails = (match result with Failed _ | TimedOut -> true | _ -> false)
                let others = [ for run in progress.Running do if run.Index <> i then CancelHook run.Index ]
                let cancelled = s.Orders |> List.filter (function CancelHook _ -> true | _ -> false)
                cancelled = (if fails && t.Policy.Hooks[i].OnFailure = Force then others else [])
            | _ -> true))

[<Fact>]
let ``after a forced stop it exits whatever peers do`` () =
    forAllLives (fun t ->
        let limit = HookGraph.longest t.Policy.Hooks AfterDrain
        let rec exits now state left =
            match state with
            | Exited _ -> now
            | Hooks(_, progress) when left > 0 ->
                let now = max now (progress.Running |> List.map _.Due |> List.min)
                exits now (LifecycleSteps.run t.Policy now Woke state).After (left - 1)
            | _ -> Instant Int64.MaxValue
        t |> every (fun s ->
            not (List.contains AbortConnections s.Orders)
            || exits s.Now s.After (hooksOf AfterDrain t.Policy).Length - s.Now <= limit))

[<Fact>]
let ``total time is at most the grace period plus the longest chain of after-drain hooks`` () =
    // The clock is punctual and the peers do what they like; nobody needs to answer for this to hold.
    let punctual move =
        match move with
        | Pass _
        | WakeLate -> WakeUp
        | Answer _
        | WakeUp
        | WakeEarly
        | Say _ -> move
    forAllLives (fun t ->
        let again = lastChapter (live { Policy = t.Policy; Moves = t.Moves |> List.map punctual })
        match again.Policy.GracePeriod with
        | ValueNone -> true
        | ValueSome grace ->
            let exited = again.Steps |> List.find (fun s -> match s.After with Exited _ -> true | _ -> false)
            exited.Now - again.Stopped <= grace + HookGraph.longest again.Policy.Hooks AfterDrain)

[<Fact>]
let ``exit 0 means nothing was aborted or failed`` () =
    forAllLives (fun t ->
        code t <> 0
        || (orders t |> List.forall (function AbortConnections | CancelHook _ -> false | _ -> true)
            && LifecycleOracle.troubles t = []))

[<Fact>]
let ``the exit code is a function of the trace`` () =
    forAllLives (fun t -> code t = LifecycleOracle.exitCode t)

[<Fact>]
let ``every trouble is recorded once, and can be read at the end`` () =
    forAllLives (fun t ->
        match (List.last t.Steps).After with
        | Exited s ->
            let sorted troubles = troubles |> List.map (sprintf "%A") |> List.sort
            sorted s.Troubles = sorted (LifecycleOracle.troubles t)
            && s.Troubles.Length = (List.distinct s.Troubles).Length
            && Lifecycle.exitCode s.Troubles = code t
        | Running _
        | IdleExpired
        | Drilling _
        | Draining _
        | Hooks _ -> false)
