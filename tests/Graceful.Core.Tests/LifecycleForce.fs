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
let private afterDrain policy = policy.Hooks |> Array.filter (fun hook -> hook.Stage = AfterDrain)

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
        | ForceRequested _, Hooks(_, run) -> List.head s.Orders = CancelHook run.Index
        | ForceRequested _, (Running _ | IdleExpired | Exited _) -> unchanged s
        | _ -> true))

[<Fact>]
let ``only signals kick`` () =
    forAllLives (every (fun s ->
        match s.Event with
        | StopRequested(Requested | HostStopped | IdledOut | HandedOver) -> not (underWay s.Before) || unchanged s
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
            || step.Orders = (if ends then [ Terminate 3 ] elif step.Event = HandOverRequested then [ RefuseHandOver ] else [])))

[<Fact>]
let ``a signal that does not force changes nothing but when the last kick was`` () =
    forAllLives (fun t ->
        LifecycleOracle.kicks t |> List.forall (fun (step, forces) ->
            forces || not (underWay step.Before)
            || (step.Orders.IsEmpty
                && Lifecycle.stage step.After = Lifecycle.stage step.Before
                && Lifecycle.nextDue step.After = Lifecycle.nextDue step.Before)))

[<Fact>]
let ``nothing is forced but by the deadline, a second signal or whoever may`` () =
    forAllLives (every (fun s ->
        not (List.contains AbortConnections s.Orders)
        || (match s.Event, s.Before with
            | (ForceRequested _ | StopRequested(Signal _)), Draining _ -> true
            | Woke, Draining({ Deadline = ValueSome deadline }, _) -> s.Now >= deadline
            | _ -> false)))

[<Fact>]
let ``after a forced stop it exits whatever peers do`` () =
    forAllLives (fun t ->
        let limit = t.Policy |> afterDrain |> Array.sumBy _.TimeLimit.Ticks
        let rec exits now state left =
            match state with
            | Exited _ -> now
            | Hooks(_, run) when left > 0 ->
                let now = max now run.Due
                exits now (LifecycleSteps.run t.Policy now Woke state).After (left - 1)
            | _ -> Instant Int64.MaxValue
        t |> every (fun s ->
            not (List.contains AbortConnections s.Orders)
            || exits s.Now s.After (afterDrain t.Policy).Length - s.Now <= TimeSpan limit))

[<Fact>]
let ``total time is at most the grace period plus the limits of the after-drain hooks`` () =
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
        let again = live { Policy = t.Policy; Moves = t.Moves |> List.map punctual }
        match again.Policy.GracePeriod with
        | ValueNone -> true
        | ValueSome grace ->
            let exited = again.Steps |> List.find (fun s -> match s.After with Exited _ -> true | _ -> false)
            let hooks = TimeSpan(again.Policy |> afterDrain |> Array.sumBy _.TimeLimit.Ticks)
            exited.Now - again.Stopped <= grace + hooks)

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
        | Draining _
        | Hooks _ -> false)
