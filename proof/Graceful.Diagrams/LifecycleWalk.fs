/// Whole lives of a server under a few policies that differ in everything that decides a way. Time goes by in beats, and every
/// limit is a beat or two, so whatever can fall due together or one after the other does. Moments are kept relative to now:
/// a life that goes round comes back to where it was, and the walk ends.
module Graceful.Diagrams.LifecycleWalk

open System
open Graceful.Core

let private beat = TimeSpan.FromMilliseconds 100L
let private now = Instant 0L

/// What happens next in a life.
type Move =
    | Said of Event
    /// A beat goes by and nobody looks.
    | TimePassed

/// A step and the policy under which it was taken.
type Taken =
    { Policy: Policy
      Before: Lifecycle
      Event: Event
      After: Lifecycle
      Effects: Effect list }

let private hook name stage =
    { Name = name; Stage = stage; TimeLimit = beat; WaitsFor = ValueNone; OnFailure = Continue }

/// Runs beside the others of its stage, and must not fail.
let private must name stage = { hook name stage with WaitsFor = ValueSome []; OnFailure = Force }

/// Every choice of hooks, with and without a lame duck; limits on everything, or on nothing.
let policies =
    [ for before in [ []; [ hook "first" BeforeDrain; hook "second" BeforeDrain; must "beside" BeforeDrain ] ] do
          for after in [ []; [ hook "third" AfterDrain; hook "fourth" AfterDrain; must "beside too" AfterDrain ] ] do
              for lameDuck in [ TimeSpan.Zero; beat ] do
                  for limited in [ true; false ] do
                      { LameDuck = lameDuck
                        QuietPeriod = beat
                        GracePeriod = if limited then ValueSome(2.0 * beat) else ValueNone
                        // Two signals without a beat between them are a kick.
                        DoubleKick = if limited then beat / 2.0 else TimeSpan.Zero
                        IdleLimit = if limited then ValueSome(2.0 * beat) else ValueNone
                        SuccessorLimit = beat
                        Hooks = Array.ofList (before @ after) } ]

let shutdown state =
    match state with
    | Draining(s, _)
    | Hooks(s, _)
    | Exited s -> ValueSome s
    | Running _
    | IdleExpired
    | Drilling _ -> ValueNone

/// What a life may hear. The triggers `IdledOut` and `HandedOver` are the core's own and not said from outside.
let private events policy state =
    let finished =
        match state with
        | Draining(_, RunningBeforeHooks progress)
        | Hooks(_, progress) ->
            [ for run in progress.Running do
                  for result in [ Succeeded; Failed "broke" ] -> HookFinished(run.Index, result) ]
        | Running _
        | IdleExpired
        | Drilling _
        | Draining _
        | Exited _ -> []
    let limit = policy.IdleLimit |> ValueOption.defaultValue beat
    [ StopRequested(Signal 15)
      StopRequested Requested
      StopRequested HostStopped
      ForceRequested HostTimedOut
      ResumeRequested
      DrillRequested beat
      IdleSampled(0, limit)
      IdleSampled(0, TimeSpan.Zero)
      IdleSampled(1, TimeSpan.Zero)
      ListenersClosed
      ConnectionsSwept beat
      GateEmptied
      yield! finished
      HandOverRequested
      SuccessorReady
      SuccessorFailed "broke"
      Woke ]

/// The same life a beat later. What is due stays due, and a kick that is too old to count grows no older.
let private later policy state =
    let due (Instant ticks) = Instant(max 0L (ticks - beat.Ticks))
    let kicked (Instant ticks) = Instant(max -(policy.DoubleKick.Ticks + 1L) (ticks - beat.Ticks))
    let way back =
        match back with
        | MayResume idle -> MayResume(ValueOption.map due idle)
        | NoReturn -> NoReturn
    let shutdown s =
        { s with LastKick = ValueOption.map kicked s.LastKick; Deadline = ValueOption.map due s.Deadline; Return = way s.Return }
    let run progress = { progress with HookProgress.Running = progress.Running |> List.map (fun run -> { run with Due = due run.Due }) }
    let successor s = match s with Absent -> Absent | Starting limit -> Starting(due limit)
    let stage s =
        match s with
        | RunningBeforeHooks progress -> RunningBeforeHooks(run progress)
        | LameDuck until -> LameDuck(due until)
        | ClosingListeners sweep -> ClosingListeners(ValueOption.map due sweep)
        | AwaitingEmptied sweep -> AwaitingEmptied(ValueOption.map due sweep)
    match state with
    | Running(s, idle) -> Running(successor s, ValueOption.map due idle)
    | IdleExpired -> IdleExpired
    | Drilling(until, idle) -> Drilling(due until, ValueOption.map due idle)
    | Draining(s, waiting) -> Draining(shutdown s, stage waiting)
    | Hooks(s, progress) -> Hooks(shutdown s, run progress)
    | Exited s -> Exited(shutdown s)

/// Of what went wrong only the kinds are kept. The exit code asks for no more, and there would be thousands of lists.
let private kinds troubles =
    [ for t in troubles do
          match t with
          | HookTrouble _ -> HookTrouble("hook", Failed "broke")
          | Forced cause -> Forced cause
          | ComponentTrouble _ -> ComponentTrouble("component", "broke") ]
    |> List.distinct
    |> List.sort

let private plain state =
    let plain s = { s with Troubles = kinds s.Troubles }
    match state with
    | Draining(s, stage) -> Draining(plain s, stage)
    | Hooks(s, progress) -> Hooks(plain s, progress)
    | Exited s -> Exited(plain s)
    | Running _
    | IdleExpired
    | Drilling _ -> state

let private isWake effect =
    match effect with
    | WakeAt _ -> true
    | _ -> false

let private step policy move state =
    match move with
    | TimePassed -> later policy state, []
    | Said event ->
        let struct (after, effects) = Lifecycle.step policy now event state
        plain after, List.filter (isWake >> not) effects

let private lives policy =
    [ for s in Walk.steps (step policy) (fun state -> TimePassed :: List.map Said (events policy state)) (fun _ -> true) (Lifecycle.initial policy now) do
          match s.Event with
          | Said event -> { Policy = policy; Before = s.Before; Event = event; After = s.After; Effects = s.Effects }
          | TimePassed -> () ]

/// Every step of every life. Walked once: it serves more than one picture.
let all = lazy (policies |> List.collect lives)

let private reached moment = moment |> ValueOption.exists (fun due -> now >= due)

let private waitsForSample taken =
    match taken.Before with
    | Running(_, idle)
    | Drilling(_, idle)
    | Draining({ Return = MayResume idle }, _) -> idle.IsNone && taken.Policy.IdleLimit.IsSome
    | IdleExpired -> true
    | Draining _
    | Hooks _
    | Exited _ -> false

let private eventName = Words.caseOf<Event>

/// What happened, in the core's word; `Woke` by the time that has come, the most pressing first.
let nameOf taken =
    let until =
        match taken.Before with
        | Draining(s, _) when reached s.Deadline -> "grace period over"
        | Running(Starting due, _) when now >= due -> "successor's time over"
        | Running(_, idle) when reached idle -> "idle look due"
        | Drilling(until, _) when now >= until -> "drill over"
        | Draining(_, RunningBeforeHooks progress)
        | Hooks(_, progress) when progress.Running |> List.exists (fun run -> now >= run.Due) -> "hook's time over"
        | Draining(_, LameDuck until) when now >= until -> "lame duck over"
        | Draining(_, (ClosingListeners sweep | AwaitingEmptied sweep)) when reached sweep -> "sweep due"
        | _ -> "nothing due"
    match taken.Event with
    | Woke -> $"Woke: {until}"
    | IdleSampled _ when not (waitsForSample taken) -> "IdleSampled, late"
    | event -> eventName event
