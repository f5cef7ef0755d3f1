/// Idle expiry and hand-over, the two ways out that may lead back: what is true of them in every generated life.
module Graceful.Core.Tests.LifecycleIdle

open System
open Graceful.Core
open Graceful.Core.Tests.LifecycleScript
open Graceful.Core.Tests.LifecycleTrace
open Xunit

[<Fact>]
let ``idle expiry is provisional: nobody drains for it but after a second quiet look`` () =
    forAllLives (fun t ->
        t |> every (fun s ->
            let quiet = (match s.Event with IdleSampled(0, q) -> ValueSome q >= t.Policy.IdleLimit | _ -> false)
            let begins = s.After = IdleExpired && s.Before <> IdleExpired
            let drains = leaving s.After && not (leaving s.Before)
            (not begins || (quiet && s.Orders = [ PauseAccepting; SampleIdle ]))
            && (not (drains && (shutdown s.After).Value.Trigger = IdledOut)
                || s.Event = StopRequested IdledOut
                || (quiet && s.Before = IdleExpired))))

[<Fact>]
let ``accepting is paused exactly in IdleExpired and on the way out from there, unless that leads past somebody who must be let in`` () =
    let observe (paused, fine) s =
        let paused =
            (paused, s.Orders)
            ||> List.fold (fun paused order ->
                match order with
                | PauseAccepting -> true
                | ResumeAccepting -> false
                | _ -> paused)
        let wanted =
            match s.After with
            | Running _ -> not paused
            | IdleExpired -> paused
            | Drilling _ -> not paused
            | Draining(_, ClosingListeners _) when s.Before = IdleExpired -> paused
            | Draining({ Trigger = IdledOut }, _)
            | Draining(_, (ClosingListeners _ | AwaitingEmptied _)) -> true
            | Draining(_, (RunningBeforeHooks _ | LameDuck _)) -> not paused
            | Hooks _
            | Exited _ -> true
        paused, fine && wanted
    forAllWholeLives (fun t -> t.Steps |> List.fold observe (false, true) |> snd)

[<Fact>]
let ``a sample is out, or the next one is due, as long as there is an idle limit`` () =
    let observe (policy: Policy) (out, fine) s =
        let answered = (match s.Event with IdleSampled _ -> true | _ -> false)
        let asked = List.contains SampleIdle s.Orders
        let out = asked || (out && not answered)
        match s.After with
        | Running(_, ValueNone)
        | Drilling(_, ValueNone)
        | Draining({ Return = MayResume ValueNone }, _) -> out, fine && (out || policy.IdleLimit.IsNone)
        | Running(_, ValueSome due)
        | Drilling(_, ValueSome due)
        | Draining({ Return = MayResume(ValueSome due) }, _) -> out, fine && due <= s.Now + policy.IdleLimit.Value
        | IdleExpired -> out, fine && out
        | Draining _
        | Hooks _
        | Exited _ -> out, fine && not asked
    forAllWholeLives (fun t -> t.Steps |> List.fold (observe t.Policy) (false, true) |> snd)

[<Fact>]
let ``the next look comes when the limit can be reached, counted from the end of the last work`` () =
    forAllLives (fun t ->
        t |> every (fun s ->
            match s.Before, s.Event, s.After with
            | (Running _ | IdleExpired), IdleSampled(busy, quietFor), Running(_, ValueSome due) when s.After <> s.Before ->
                let limit = t.Policy.IdleLimit.Value
                // Work that is still going on ends now at the soonest; whoever was called back starts anew.
                let counts = busy = 0 && quietFor < limit && s.Before <> IdleExpired
                due = s.Now + (if counts then limit - quietFor else limit)
            | _ -> true))

[<Fact>]
let ``a sample that nobody waits for changes nothing`` () =
    forAllLives (every (fun s ->
        match s.Before, s.Event with
        | (Running(_, ValueSome _) | Drilling(_, ValueSome _) | Hooks _ | Exited _), IdleSampled _
        | Draining({ Return = NoReturn | MayResume(ValueSome _) }, _), IdleSampled _ -> unchanged s
        | _ -> true))

[<Fact>]
let ``a failed hand-over leaves Running as it was`` () =
    forAllLives (fun t ->
        t |> every (fun s ->
            match s.Before, s.Event with
            | Running(Starting _, idle), SuccessorFailed _ -> s.After = Running(Absent, idle) && s.Orders.IsEmpty
            | Running(Absent, idle), HandOverRequested ->
                let failed = run t.Policy (s.Now + ms 1) (SuccessorFailed "no") s.After
                let late = run t.Policy (s.Now + t.Policy.SuccessorLimit) Woke s.After
                s.Orders = [ StartSuccessor ]
                && failed.After = Running(Absent, idle)
                && late.After = Running(Absent, idle)
                && late.Orders = [ AbandonSuccessor ]
            | _ -> true))

[<Fact>]
let ``a successor that starts becomes ready, fails or is abandoned, and there is one at a time`` () =
    let observe (starting, fine) s =
        let answered =
            match s.Event with
            | SuccessorReady
            | SuccessorFailed _ -> true
            | _ -> false
        let abandoned, begun = List.contains AbandonSuccessor s.Orders, List.contains StartSuccessor s.Orders
        let now = begun || (starting && not answered && not abandoned)
        let known = (match s.After with Running(Starting _, _) -> true | _ -> false)
        now, fine && now = known && not (begun && starting) && (not abandoned || (starting && not answered))
    forAllLives (fun t -> t.Steps |> List.fold observe (false, true) |> snd)

[<Fact>]
let ``stop while a successor starts abandons it`` () =
    forAllLives (every (fun s ->
        match s.Before, s.Event with
        | Running(Starting _, _), StopRequested _ -> List.head s.Orders = AbandonSuccessor && leaving s.After
        | _ -> true))

[<Fact>]
let ``a hand-over is refused exactly where none can begin`` () =
    forAllLives (every (fun s ->
        let canBegin = (match s.Before with Running(Absent, _) | IdleExpired -> true | _ -> false)
        List.contains RefuseHandOver s.Orders = (s.Event = HandOverRequested && not canBegin)
        && (s.Event <> HandOverRequested || canBegin = List.contains StartSuccessor s.Orders)))
