/// Stops that may be undone, and drills: what is true of them in every generated life.
module Graceful.Core.Tests.LifecycleReturn

open System
open Graceful.Core
open Graceful.Core.Tests.LifecycleScript
open Graceful.Core.Tests.LifecycleTrace
open Xunit

let private begins step = leaving step.After && not (leaving step.Before)

[<Fact>]
let ``the host is told once, as soon as there is no way back`` () =
    forAllLives (fun t ->
        count StopHost t = 1
        && t |> every (fun s ->
            let committed = leaving s.After && not (Lifecycle.mayResume s.After)
            List.contains StopHost s.Orders = (committed && (begins s || Lifecycle.mayResume s.Before))))

[<Fact>]
let ``a stop may be undone as long as only the application asked and nobody closes the listeners`` () =
    forAllLives (fun t ->
        let way = t.Steps |> List.skipWhile (begins >> not)
        let others s =
            match s.Event with
            | StopRequested Requested -> false
            | StopRequested _ -> true
            | SuccessorReady
            | IdleSampled _ -> begins s
            | _ -> false
        // Whatever others ask after the listeners close changes nothing more.
        let scan = List.scan (fun may s -> may && not (others s) && not (List.exists isClosing s.Orders)) true way |> List.tail
        List.forall2 (fun may s -> Lifecycle.mayResume s.After = may) scan way)

[<Fact>]
let ``whoever comes back is as before: what ran is cancelled, and everything else is undone`` () =
    forAllWholeLives (fun t ->
        t |> every (fun s ->
            let back = run t.Policy s.Now ResumeRequested s.After
            match s.After with
            | Draining({ Return = MayResume idle }, stage) ->
                let running = (match stage with RunningBeforeHooks progress -> progress.Running | _ -> [])
                back.After = Running(Absent, idle)
                && back.Orders = [ for run in running -> CancelHook run.Index ] @ [ RestoreReadiness; RenewStopping; WithdrawNotice ]
            | Drilling(_, idle) ->
                back.After = Running(Absent, idle) && back.Orders = [ RestoreReadiness; WithdrawNotice ]
            | _ -> back.After = s.After && back.Orders = [ RefuseResume ]))

[<Fact>]
let ``nobody is told by a server that runs`` () =
    let observe (announced, fine) s =
        let announced =
            (announced, s.Orders)
            ||> List.fold (fun announced order ->
                match order with
                | AnnounceLeaving -> true
                | WithdrawNotice -> false
                | _ -> announced)
        let wanted =
            match s.After with
            | Running _
            | IdleExpired -> not announced
            | Drilling _
            | Draining(_, LameDuck _) -> announced
            | Draining _
            | Hooks _
            | Exited _ -> true
        announced, fine && wanted
    forAllWholeLives (fun t -> t.Steps |> List.fold observe (false, true) |> snd)

[<Fact>]
let ``a drill begins where the server runs and nothing else is under way, lasts as long as was asked, and leads back`` () =
    forAllWholeLives (fun t ->
        t |> every (fun s ->
            match s.Before, s.Event, s.After with
            | Running(Absent, idle), DrillRequested length, after ->
                let back = run t.Policy (s.Now + length) Woke after
                after = Drilling(s.Now + length, idle)
                && s.Orders = [ FailReadiness; AnnounceLeaving ]
                && back.After = Running(Absent, idle)
                && back.Orders = [ RestoreReadiness; WithdrawNotice ]
            | _, DrillRequested _, _ -> s.After = s.Before && s.Orders = [ RefuseDrill ]
            | Drilling(until, idle), IdleSampled _, Drilling(same, next) ->
                same = until && s.Orders.IsEmpty
                && (next = idle || (idle.IsNone && next = (t.Policy.IdleLimit |> ValueOption.map (fun limit -> s.Now + limit))))
            | Drilling _, (StopRequested _ | ResumeRequested | Woke), _ -> true
            | Drilling _, HandOverRequested, after -> after = s.Before && s.Orders = [ RefuseHandOver ]
            | Drilling _, _, _ -> unchanged s
            | _, _, Drilling _ -> false
            | _ -> true))

[<Fact>]
let ``a hook may be added until its stage begins, and is one of them from then on`` () =
    forAllWholeLives (fun t ->
        let fresh stage = { hook "added" stage 30 with OnFailure = Force }
        t |> every (fun s ->
            let stages = [ BeforeDrain; AfterDrain ]
            stages |> List.forall (fun stage ->
                let begun =
                    match stage with
                    | BeforeDrain -> leaving s.After
                    | AfterDrain -> Lifecycle.stage s.After >= Stage.AfterDrainHooks
                match Lifecycle.addHook t.Policy (fresh stage) s.After with
                | Ok policy ->
                    not begun && policy.Hooks = Array.append t.Policy.Hooks [| fresh stage |]
                    // Nothing that has happened would have gone another way with it.
                    && run policy s.Now s.Event s.Before = s
                | Error refusal -> begun && refusal = StageBegun)))

[<Fact>]
let ``a hook that does not go with the others is not added`` () =
    let policy = { wishless with Hooks = [| hook "a" BeforeDrain 1; hook "b" AfterDrain 1 |] }
    let add hook = Lifecycle.addHook policy hook (Lifecycle.initial policy (at 0))
    let after names hook = { hook with WaitsFor = ValueSome names }
    Assert.Equal(Error(Faulty [ DoubleName "a" ]), add (hook "a" AfterDrain 1))
    Assert.Equal(Error(Faulty [ UnknownName("c", "d"); OtherStage("c", "b") ]), add (hook "c" BeforeDrain 1 |> after [ "d"; "b" ]))
    Assert.Equal(Error(Faulty [ Cycle [ "c" ] ]), add (hook "c" BeforeDrain 1 |> after [ "c"; "a" ]))
    Assert.True((add (hook "c" BeforeDrain 1 |> after [ "a" ])).IsOk)
