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
    forAllWholeLives (every (fun s ->
        let from, into = Lifecycle.stage s.Before, Lifecycle.stage s.After
        into >= from
        || (into = Stage.Running
            && (from = Stage.IdleExpired || from = Stage.Drilling || (s.Event = ResumeRequested && Lifecycle.mayResume s.Before)))))

[<Fact>]
let ``every life ends, and Exit is ordered exactly once and last`` () =
    forAllLives (fun t ->
        let after = orders t |> List.skipWhile (isExit >> not)
        isExited (List.last t.Steps).After
        && (orders t |> List.filter isExit |> List.length) = 1
        && after |> List.tail |> List.forall (fun order -> List.contains order [ RefuseHandOver; RefuseResume; RefuseDrill; Terminate 3 ]))

[<Fact>]
let ``an exited server stays so, and hears nothing but signals`` () =
    forAllLives (every (fun s ->
        not (isExited s.Before)
        || (isExited s.After
            && s.Wake.IsEmpty
            && (s.After = s.Before || (match s.Event with StopRequested(Signal _) -> true | _ -> false)))))

[<Fact>]
let ``unready from the first moment of a stop or a drill to its end, and after a hand-over as it was`` () =
    let observe (unready, fine) s =
        let now, allowed =
            ((unready, true), s.Orders)
            ||> List.fold (fun (unready, allowed) order ->
                match order with
                | FailReadiness -> true, allowed && not unready
                | RestoreReadiness -> false, allowed && unready
                | _ -> unready, allowed)
        let wanted =
            match s.After with
            | Running _
            | IdleExpired -> false
            | Drilling _ -> true
            | Draining _
            | Hooks _
            | Exited _ -> leaving s.Before && unready || not (leaving s.Before) && (unready || (shutdown s.After).Value.Trigger <> HandedOver)
        now, fine && allowed && now = wanted
    forAllWholeLives (fun t -> t.Steps |> List.fold observe (false, true) |> snd)

[<Fact>]
let ``the stopping token fires with the first step of every way out, and whoever comes back has a new one`` () =
    let observe (fired, fine) s =
        let begins = leaving s.After && not (leaving s.Before)
        let orders order = s.Orders |> List.filter ((=) order) |> List.length
        leaving s.After,
        fine && fired = leaving s.Before
        && orders FireStopping = (if begins then 1 else 0)
        && orders RenewStopping = (if isBack s then 1 else 0)
    forAllWholeLives (fun t -> t.Steps |> List.fold observe (false, true) |> snd)

/// The hooks that run and those that are over, told from events and orders alone.
let private hooksAfter (running, over: Set<int>) s =
    let running, over =
        match s.Event with
        | HookFinished(i, _) when Set.contains i running -> Set.remove i running, over.Add i
        | _ -> running, over
    ((running, over), s.Orders)
    ||> List.fold (fun (running, over) order ->
        match order with
        | StartHook i -> Set.add i running, over
        | CancelHook i -> Set.remove i running, over.Add i
        | _ -> running, over)

let private withHooks t = List.zip t.Steps (List.scan hooksAfter (Set.empty, Set.empty) t.Steps |> List.tail)

[<Fact>]
let ``every hook starts at most once, and who is cancelled runs`` () =
    forAllLives (fun t ->
        let all = started t
        all.Length = (List.distinct all).Length
        && all |> List.forall (fun i -> 0 <= i && i < t.Policy.Hooks.Length)
        && (withHooks t |> List.pairwise |> List.forall (fun ((_, (running, _)), (s, _)) ->
            let ended = (match s.Event with HookFinished(i, _) -> Set.remove i running | _ -> running)
            s.Orders |> List.forall (function CancelHook i -> ended.Contains i | _ -> true))))

[<Fact>]
let ``a hook runs as soon as those are over that it waits for, and no sooner`` () =
    forAllLives (fun t ->
        withHooks t |> List.forall (fun (s, (running, over)) ->
            let stage =
                match Lifecycle.stage s.After with
                | Stage.BeforeDrainHooks -> Some BeforeDrain
                | Stage.AfterDrainHooks -> Some AfterDrain
                | _ -> None
            let free i = predecessors t.Policy i |> List.forall over.Contains
            (running.IsEmpty = stage.IsNone)
            && (stage |> Option.forall (fun stage ->
                hooksOf stage t.Policy |> List.forall (fun i -> (running.Contains i || over.Contains i) = free i)))))

[<Fact>]
let ``whatever concerns several hooks is in the order of the policy`` () =
    let rising indices = List.pairwise indices |> List.forall (fun (a, b) -> a < b)
    forAllWholeLives (every (fun s ->
        let inState =
            match s.After with
            | Draining(_, RunningBeforeHooks progress)
            | Hooks(_, progress) -> rising [ for run in progress.Running -> run.Index ] && rising progress.Waiting
            | _ -> true
        inState && rising [ for order in s.Orders do match order with StartHook i -> i | _ -> () ]))

[<Fact>]
let ``hooks that nobody orders run one after the other as they were added`` () =
    forAllLives (fun t ->
        let t = { t with Policy = { t.Policy with Hooks = t.Policy.Hooks |> Array.map (fun hook -> { hook with WaitsFor = ValueNone }) } }
        let t = lastChapter (live { Policy = t.Policy; Moves = t.Moves })
        started t = List.sortBy (fun i -> t.Policy.Hooks[i].Stage = AfterDrain, i) (started t)
        && (withHooks t |> List.forall (fun (_, (running, _)) -> running.Count <= 1)))

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
        // Drills announce too, and are not meant.
        let t = { t with Steps = t.Steps |> List.filter (fun s -> leaving s.After) }
        let lame = t.Steps |> List.exists (fun s -> Lifecycle.stage s.After = Stage.LameDuck)
        let warns = not (List.contains (trigger t) [ HandedOver; IdledOut; ConnectionEnded ])
        let wanted = t.Policy.LameDuck > TimeSpan.Zero && warns
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
            | Draining(_, RunningBeforeHooks progress)
            | Hooks(_, progress) ->
                progress.Running |> List.forall (fun run ->
                    not (List.contains (StartHook run.Index) s.Orders)
                    || run.Due = s.Now + t.Policy.Hooks[run.Index].TimeLimit)
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
let ``those who stay are told until the lame duck is over, or the drill, and never beyond the deadline`` () =
    forAllLives (fun t ->
        t |> every (fun s ->
            let told = Lifecycle.noticeEnd s.After
            match Lifecycle.stage s.After with
            // Whatever ends it first is what it is woken for.
            | Stage.Drilling
            | Stage.LameDuck -> told.IsSome && told = Lifecycle.nextDue s.After
            | _ -> told.IsNone))

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
let ``CancelHook follows every hook that is over time`` () =
    forAllLives (fun t ->
        let first progress = progress.Running |> List.map _.Due |> List.min
        let cancelled s progress =
            let due = first progress
            let over = [ for run in progress.Running do if run.Due = due then CancelHook run.Index ]
            List.truncate over.Length (run t.Policy due Woke s.After).Orders = over
        t |> every (fun s ->
            match s.After with
            | Draining({ Deadline = deadline }, RunningBeforeHooks progress) ->
                deadline |> ValueOption.exists (fun deadline -> deadline <= first progress) || cancelled s progress
            | Hooks(_, progress) -> cancelled s progress
            | _ -> true))
