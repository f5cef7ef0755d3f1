/// What is true of every life of a server, whoever answers, fails, hangs, kicks or comes too late.
module Graceful.Core.Tests.LifecycleProperties

open System
open Graceful.Core
open Graceful.Core.Tests.LifecycleScript
open Graceful.Core.Tests.LifecycleTrace
open Xunit

// ---- Order of things ---------------------------------------------------------------------------------------------

[<Fact>]
let ``going down, never back`` () =
    forAllLives (every (fun s ->
        let from, into = Lifecycle.stage s.Before, Lifecycle.stage s.After
        into >= from || (from = Stage.IdleExpired && into = Stage.Running)))

[<Fact>]
let ``every life ends, and Exit is ordered exactly once and last`` () =
    forAllLives (fun t ->
        let after = orders t |> List.skipWhile (isExit >> not)
        isExited (List.last t.Steps).After
        && (orders t |> List.filter isExit |> List.length) = 1
        && after |> List.tail |> List.forall (fun order -> order = RefuseHandOver || order = Terminate 3))

[<Fact>]
let ``an exited server stays so, and hears nothing but signals`` () =
    forAllLives (every (fun s ->
        not (isExited s.Before)
        || (isExited s.After
            && s.Wake.IsEmpty
            && (s.After = s.Before || (match s.Event with StopRequested(Signal _) -> true | _ -> false)))))

[<Fact>]
let ``readiness fails and the stopping token fires once, first of all, and after a hand-over readiness holds`` () =
    forAllLives (fun t ->
        let first = t.Steps |> List.find (fun s -> leaving s.After)
        count FireStopping t = 1
        && count FailReadiness t = (if trigger t = HandedOver then 0 else 1)
        && List.contains FireStopping first.Orders
        && (trigger t = HandedOver || List.contains FailReadiness first.Orders))

[<Fact>]
let ``hooks start in order and once`` () =
    forAllLives (fun t ->
        let beforeDrain, afterDrain = startedOf BeforeDrain t, startedOf AfterDrain t
        started t = beforeDrain @ afterDrain
        && beforeDrain = List.truncate beforeDrain.Length (hooksOf BeforeDrain t.Policy)
        && afterDrain = List.truncate afterDrain.Length (hooksOf AfterDrain t.Policy))

[<Fact>]
let ``hooks run one at a time`` () =
    let observe policy (running, fine) s =
        let running = (match s.Event, running with HookFinished(i, _), Some j when i = j -> None | _ -> running)
        ((running, fine), s.Orders)
        ||> List.fold (fun (running, fine) order ->
            match order with
            | StartHook i -> Some i, fine && running = None && i < policy.Hooks.Length
            | CancelHook i -> None, fine && running = Some i
            | Exit _ -> running, fine && running = None
            | _ -> running, fine)
    forAllLives (fun t -> t.Steps |> List.fold (observe t.Policy) (None, true) |> snd)

[<Fact>]
let ``after-drain hooks run whatever happened`` () =
    forAllLives (fun t ->
        let ran = before isExit t
        hooksOf AfterDrain t.Policy |> List.forall (fun i -> List.contains (StartHook i) ran))

[<Fact>]
let ``before-drain hooks all run before the listeners close, unless it was forced`` () =
    forAllLives (fun t ->
        forced t || hooksOf BeforeDrain t.Policy |> List.forall (fun i -> List.contains (StartHook i) (before isClosing t)))

[<Fact>]
let ``listeners close exactly once, and the successor keeps what is queued exactly after a hand-over`` () =
    forAllLives (fun t -> (orders t |> List.filter isClosing) = [ CloseListeners((trigger t = HandedOver)) ])

[<Fact>]
let ``AnnounceLeaving comes exactly with a lame duck, and before CloseListeners`` () =
    forAllLives (fun t ->
        let lame = t.Steps |> List.exists (fun s -> Lifecycle.stage s.After = Stage.LameDuck)
        let wanted = t.Policy.LameDuck > TimeSpan.Zero && trigger t <> HandedOver && trigger t <> IdledOut
        count AnnounceLeaving t = (if lame then 1 else 0)
        && (not lame || wanted)
        && (lame || not wanted || forced t)
        && (not lame || position ((=) AnnounceLeaving) t < position isClosing t))

[<Fact>]
let ``RetireConnections comes once, after ListenersClosed, and a sweep with it if none is out`` () =
    forAllLives (fun t ->
        count RetireConnections t <= 1
        && (count RetireConnections t = 0 || position isClosing t < position ((=) RetireConnections) t)
        && t |> every (fun s ->
            List.contains RetireConnections s.Orders = (s.Event = ListenersClosed && not (unchanged s))
            && (not (List.contains RetireConnections s.Orders)
                || (match s.Before with
                    | Draining(_, ClosingListeners ValueNone) -> s.Orders = [ RetireConnections ]
                    | _ -> s.Orders = [ RetireConnections; SweepConnections ]))))

[<Fact>]
let ``one sweep is out at a time, and the next is due when the last one said, or the shortest time after`` () =
    let sweepsIn stage = stage = Stage.ClosingListeners || stage = Stage.Draining
    let observe (out, fine) s =
        let sweeps = s.Orders |> List.filter ((=) SweepConnections) |> List.length
        match s.Event, s.After with
        | ConnectionsSwept lookAgain, Draining(_, (ClosingListeners(ValueSome due) | AwaitingEmptied(ValueSome due))) when out ->
            false, fine && due = s.Now + max lookAgain Connection.sweepInterval && sweeps = 0
        | ConnectionsSwept _, after -> out && sweepsIn (Lifecycle.stage after), fine && sweeps = 0
        | _, after -> (out || sweeps > 0) && sweepsIn (Lifecycle.stage after), fine && sweeps <= (if out then 0 else 1)
    forAllLives (fun t -> t.Steps |> List.fold observe (false, true) |> snd)

[<Fact>]
let ``nobody is left behind: the drain ends when everybody has left, or by force`` () =
    forAllLives (every (fun s ->
        let drains stage = stage < Stage.AfterDrainHooks
        not (drains (Lifecycle.stage s.Before)) || drains (Lifecycle.stage s.After)
        || (s.Event = GateEmptied && Lifecycle.stage s.Before = Stage.Draining)
        || List.contains AbortConnections s.Orders))

[<Fact>]
let ``a stage lasts as long as the policy says, counted from its start`` () =
    forAllLives (fun t ->
        t |> every (fun s ->
            let isNew = s.After <> s.Before
            match s.After with
            | Draining(_, RunningBeforeHooks run)
            | Hooks(_, run) when List.contains (StartHook run.Index) s.Orders ->
                run.Due = s.Now + t.Policy.Hooks[run.Index].TimeLimit
            | Draining(_, LameDuck until) when isNew && List.contains AnnounceLeaving s.Orders ->
                until = s.Now + t.Policy.LameDuck
            | Draining(_, ClosingListeners sweep) when List.exists isClosing s.Orders ->
                sweep = ValueSome(s.Now + Connection.sweepInterval)
            | Running(Starting due, _) when List.contains StartSuccessor s.Orders ->
                due = s.Now + t.Policy.SuccessorLimit
            | _ -> true))

[<Fact>]
let ``the trigger stays, and one deadline runs from it`` () =
    forAllLives (fun t ->
        let deadline = t.Policy.GracePeriod |> ValueOption.map (fun grace -> t.Stopped + grace)
        t |> every (fun s ->
            match shutdown s.Before, shutdown s.After with
            | None, Some now ->
                now.Deadline = deadline
                && (match s.Event with
                    | StopRequested trigger -> now.Trigger = trigger
                    | SuccessorReady -> now.Trigger = HandedOver
                    | _ -> now.Trigger = IdledOut)
            | Some was, Some now -> now.Deadline = was.Deadline && now.Trigger = was.Trigger
            | _, None -> true))

[<Fact>]
let ``the deadline that is told is the moment of the force, and is told wherever there is one`` () =
    forAllLives (fun t ->
        t |> every (fun s ->
            match Lifecycle.deadline s.After, s.After with
            | ValueSome due, _ -> List.contains AbortConnections (run t.Policy due Woke s.After).Orders
            | ValueNone, Draining _ -> t.Policy.GracePeriod.IsNone
            | ValueNone, _ -> true))

// ---- Waking up ---------------------------------------------------------------------------------------------------

[<Fact>]
let ``every step says when it must be woken, and says it last`` () =
    forAllLives (fun t ->
        t |> every (fun s ->
            let struct (_, effects) = Lifecycle.step t.Policy s.Now s.Event s.Before
            match Lifecycle.nextDue s.After with
            | ValueSome due -> s.Wake = [ WakeAt due ] && List.last effects = WakeAt due
            | ValueNone -> s.Wake.IsEmpty))

[<Fact>]
let ``a wake-up makes progress`` () =
    forAllLives (fun t ->
        let rec settles now state left =
            match Lifecycle.nextDue state with
            | ValueSome due when due <= now -> left > 0 && settles now (run t.Policy now Woke state).After (left - 1)
            | ValueSome _
            | ValueNone -> true
        t |> every (fun s ->
            match Lifecycle.nextDue s.After with
            | ValueSome due ->
                let woken = run t.Policy due Woke s.After
                woken.After <> s.After && settles due woken.After (t.Policy.Hooks.Length + 4)
            | ValueNone -> true))

[<Fact>]
let ``a stale wake-up changes nothing`` () =
    forAllLives (fun t ->
        t |> every (fun s ->
            match Lifecycle.nextDue s.After with
            | ValueSome due when due > at 0 -> unchanged (run t.Policy (due + TimeSpan(-1L)) Woke s.After)
            | ValueSome _ -> true
            | ValueNone -> unchanged (run t.Policy (at 1_000_000) Woke s.After)))

[<Fact>]
let ``CancelHook follows a hook that is over time`` () =
    forAllLives (fun t ->
        t |> every (fun s ->
            let cancelled run = List.head (LifecycleSteps.run t.Policy run.Due Woke s.After).Orders = CancelHook run.Index
            match s.After with
            | Draining({ Deadline = deadline }, RunningBeforeHooks run) ->
                deadline |> ValueOption.exists (fun deadline -> deadline <= run.Due) || cancelled run
            | Hooks(_, run) -> cancelled run
            | _ -> true))
