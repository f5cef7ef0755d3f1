/// What every single step of the lifecycle must keep, whatever led to it. The rules of whole traces are in the model.
module Graceful.Proof.Rules

open Graceful.Core

let private rank state =
    match Lifecycle.stage state with
    | Stage.Running -> 0
    | Stage.IdleExpired -> 1
    | Stage.Drilling -> 2
    | Stage.BeforeDrainHooks -> 3
    | Stage.LameDuck -> 4
    | Stage.ClosingListeners -> 5
    | Stage.Draining -> 6
    | Stage.AfterDrainHooks -> 7
    | Stage.Exited -> 8

let private troubles state =
    match state with
    | Running _
    | IdleExpired
    | Drilling _ -> []
    | Draining(s, _)
    | Hooks(s, _)
    | Exited s -> s.Troubles

let private must holds reason = if not holds then raise (Broken reason)

/// The wake-up is ordered once, last, and for the moment that the state wants.
let private wakeUp next effects =
    let wakes = effects |> List.filter (function WakeAt _ -> true | _ -> false)
    let wanted = match Lifecycle.nextDue next with ValueSome due -> [ WakeAt due ] | ValueNone -> []
    must (wakes = wanted) "the wake-up that was ordered is not the one that the state wants"
    must (wanted.IsEmpty || List.last effects = wanted.Head) "the wake-up is not the last order"

let step before event next effects =
    let orders = effects |> List.filter (function WakeAt _ -> false | _ -> true)
    let unchanged = next = before && orders.IsEmpty
    wakeUp next effects
    let resumes = event = ResumeRequested && Lifecycle.mayResume before
    let provisional = rank before = 1 || rank before = 2 || resumes
    must (rank next >= rank before || (provisional && rank next = 0)) "a stage led back"
    let kept = if resumes then [] else troubles before
    let now = troubles next
    must (now.Length >= kept.Length && List.skip (now.Length - kept.Length) now = kept) "a trouble was forgotten"
    match before, event with
    | _, Woke when (match Lifecycle.nextDue before with ValueSome(Instant due) -> due > 0L | ValueNone -> true) ->
        must unchanged "a wake-up that nobody waited for changed something"
    | _, Woke -> must (next <> before) "a wake-up that was due made no progress"
    | (Draining _ | Hooks _ | Exited _), StopRequested Requested ->
        must unchanged "a stop that was asked for again did not join"
    | Running(Starting _, idle), SuccessorFailed _ ->
        must (next = Running(Absent, idle) && orders.IsEmpty) "a failed hand-over left a trace"
    | _ -> ()
    match before with
    | Exited _ ->
        let mayOrder = function Terminate _ | RefuseHandOver | RefuseResume | RefuseDrill -> true | _ -> false
        must (orders |> List.forall mayOrder) "something was ordered after the exit"
    | _ -> ()
    let exits = orders |> List.filter (function Exit _ -> true | _ -> false)
    must (exits.IsEmpty = (rank next < 8 || rank before = 8)) "Exit is ordered in another step than the last"
