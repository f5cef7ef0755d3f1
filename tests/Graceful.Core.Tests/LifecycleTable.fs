/// The Lifecycle as a table: in which stage which event is heard. Heard means that the state changes or something is ordered.
module Graceful.Core.Tests.LifecycleTable

open System
open Graceful.Core
open Graceful.Core.Tests.LifecycleScript
open Xunit

type private Heard =
    | Handled
    | Ignored
    /// A kick is remembered or forces, a failure is remembered; any other stop request joins the one that is under way.
    | HandledIfNews

let private hear stage successor event =
    match stage, event with
    | (Stage.Running | Stage.IdleExpired | Stage.Drilling), StopRequested _ -> Handled
    | (Stage.BeforeDrainHooks | Stage.LameDuck | Stage.ClosingListeners | Stage.Draining | Stage.AfterDrainHooks),
      StopRequested _ -> HandledIfNews
    | (Stage.BeforeDrainHooks | Stage.LameDuck | Stage.ClosingListeners | Stage.Draining | Stage.AfterDrainHooks),
      ForceRequested cause -> if stage = Stage.AfterDrainHooks && cause = StopNow then Ignored else Handled
    | (Stage.Running | Stage.IdleExpired | Stage.Drilling | Stage.Exited), ForceRequested _ -> Ignored
    // Where nothing can be undone, and where no drill can begin, that is refused, which is an order too.
    | (Stage.Running | Stage.IdleExpired | Stage.Drilling | Stage.BeforeDrainHooks | Stage.LameDuck),
      (ResumeRequested | DrillRequested _)
    | (Stage.ClosingListeners | Stage.Draining | Stage.AfterDrainHooks | Stage.Exited), (ResumeRequested | DrillRequested _) -> Handled
    // A sample is out in these.
    | (Stage.Running | Stage.IdleExpired | Stage.Drilling), IdleSampled _ -> Handled
    | (Stage.BeforeDrainHooks | Stage.LameDuck | Stage.ClosingListeners | Stage.Draining | Stage.AfterDrainHooks),
      IdleSampled _ -> Ignored
    | Stage.ClosingListeners, ListenersClosed -> Handled
    | (Stage.Running | Stage.IdleExpired | Stage.Drilling), ListenersClosed
    | (Stage.BeforeDrainHooks | Stage.LameDuck | Stage.Draining), ListenersClosed
    | Stage.AfterDrainHooks, ListenersClosed -> Ignored
    // A sweep is out in both.
    | (Stage.ClosingListeners | Stage.Draining), ConnectionsSwept _
    | Stage.Draining, GateEmptied -> Handled
    | (Stage.Running | Stage.IdleExpired | Stage.Drilling | Stage.BeforeDrainHooks | Stage.LameDuck | Stage.AfterDrainHooks),
      (ConnectionsSwept _ | GateEmptied)
    | Stage.ClosingListeners, GateEmptied -> Ignored
    | (Stage.BeforeDrainHooks | Stage.AfterDrainHooks), HookFinished _ -> Handled
    | (Stage.Running | Stage.IdleExpired | Stage.Drilling), HookFinished _
    | (Stage.LameDuck | Stage.ClosingListeners | Stage.Draining), HookFinished _ -> Ignored
    // Where no hand-over can begin it is refused, which is an order too.
    | (Stage.Running | Stage.IdleExpired | Stage.Drilling | Stage.BeforeDrainHooks | Stage.LameDuck), HandOverRequested
    | (Stage.ClosingListeners | Stage.Draining | Stage.AfterDrainHooks | Stage.Exited), HandOverRequested -> Handled
    | Stage.Running, (SuccessorReady | SuccessorFailed _) -> if successor then Handled else Ignored
    | (Stage.IdleExpired | Stage.Drilling | Stage.BeforeDrainHooks | Stage.LameDuck | Stage.ClosingListeners),
      (SuccessorReady | SuccessorFailed _)
    | (Stage.Draining | Stage.AfterDrainHooks), (SuccessorReady | SuccessorFailed _) -> Ignored
    // Long before anything is due.
    | (Stage.Running | Stage.IdleExpired | Stage.Drilling | Stage.BeforeDrainHooks | Stage.LameDuck | Stage.ClosingListeners), Woke
    | (Stage.Draining | Stage.AfterDrainHooks), Woke -> Ignored
    | Stage.Exited, StopRequested _ -> HandledIfNews
    | Stage.Exited,
      (IdleSampled _ | ListenersClosed | ConnectionsSwept _ | GateEmptied | HookFinished _
      | SuccessorReady | SuccessorFailed _ | Woke) -> Ignored

let private policy =
    { LameDuck = ms 300
      QuietPeriod = ms 500
      GracePeriod = ValueSome(ms 30_000)
      DoubleKick = ms 5000
      IdleLimit = ValueSome(ms 60_000)
      SuccessorLimit = ms 10_000
      Hooks = [| hook "before" BeforeDrain 1000; hook "after" AfterDrain 1000 |] }

let private runs index = { Running = [ { Index = index; Due = at 1000 } ]; Waiting = [] }

let private leaving =
    { Trigger = Signal 15; Return = NoReturn; LastKick = ValueSome(at 0); Deadline = ValueSome(at 30_000); Troubles = [] }

/// One state a stage and more where a stage waits for different things, with the moment at which they are asked.
let private states =
    [ Running(Absent, ValueNone)
      Running(Starting(at 10_000), ValueNone)
      IdleExpired
      Drilling(at 300, ValueNone)
      Draining(leaving, RunningBeforeHooks(runs 0))
      Draining(leaving, LameDuck(at 300))
      Draining(leaving, ClosingListeners ValueNone)
      Draining(leaving, AwaitingEmptied ValueNone)
      Hooks(leaving, runs 1)
      Exited leaving ]

let private events hook =
    [ StopRequested(Signal 15)
      StopRequested Requested
      StopRequested HostStopped
      StopRequested IdledOut
      StopRequested ConnectionEnded
      StopRequested HandedOver
      StopRequested(ComponentFailed("queue", "lost"))
      ForceRequested GracePeriodOver
      ForceRequested SecondSignal
      ForceRequested HostTimedOut
      ForceRequested StopNow
      ForceRequested HookFailed
      ResumeRequested
      DrillRequested(ms 300)
      IdleSampled(0, ms 60_000)
      IdleSampled(1, ms 0)
      ListenersClosed
      ConnectionsSwept(ms 0)
      GateEmptied
      HookFinished(hook, Succeeded)
      HookFinished(hook, Failed "broke")
      HandOverRequested
      SuccessorReady
      SuccessorFailed "gone"
      Woke ]

let private hookOf state =
    match state with
    | Draining(_, RunningBeforeHooks progress)
    | Hooks(_, progress) -> progress.Running.Head.Index
    | Running _
    | IdleExpired
    | Drilling _
    | Draining _
    | Exited _ -> 0

let private successorOf state =
    match state with
    | Running(Starting _, _) -> true
    | Running(Absent, _)
    | IdleExpired
    | Drilling _
    | Draining _
    | Hooks _
    | Exited _ -> false

[<Fact>]
let ``every stage hears what the table says, and nothing else`` () =
    for state in states do
        for event in events (hookOf state) do
            let step = run policy (at 1) event state
            let heard = step.After <> state || not step.Orders.IsEmpty
            let stage = Lifecycle.stage state
            let expected =
                match hear stage (successorOf state) event with
                | Handled -> true
                | Ignored -> false
                | HandledIfNews ->
                    event = StopRequested(Signal 15)
                    || (stage <> Stage.Exited && event = StopRequested(ComponentFailed("queue", "lost")))
            Assert.Equal((stage, event, expected), (stage, event, heard))

[<Fact>]
let ``a hook that is not running has nothing to say`` () =
    for state in states do
        for index in [ -1; hookOf state + 1; 7 ] do
            let step = run policy (at 1) (HookFinished(index, Failed "late")) state
            Assert.Equal(state, step.After)
            Assert.Empty step.Orders

[<Fact>]
let ``a sweep that is not out has no answer`` () =
    for stage in [ ClosingListeners(ValueSome(at 50)); AwaitingEmptied(ValueSome(at 50)) ] do
        let state = Draining(leaving, stage)
        Assert.Equal(state, (run policy (at 1) (ConnectionsSwept(ms 5)) state).After)

[<Fact>]
let ``the gravest trouble makes the exit code`` () =
    let code troubles = Lifecycle.exitCode troubles
    Assert.Equal(0, code [])
    for result in [ Failed "broke"; TimedOut; Cancelled; Skipped ] do
        Assert.Equal(1, code [ HookTrouble("hook", result) ])
    Assert.Equal(2, code [ HookTrouble("hook", Skipped); Forced GracePeriodOver ])
    Assert.Equal(2, code [ Forced HostTimedOut; HookTrouble("hook", Skipped) ])
    Assert.Equal(3, code [ Forced SecondSignal; Forced GracePeriodOver; HookTrouble("hook", TimedOut) ])
    Assert.Equal(3, code [ Forced GracePeriodOver; Forced SecondSignal ])
    Assert.Equal(3, code [ HookTrouble("hook", Cancelled); Forced StopNow; Forced HostTimedOut ])
    Assert.Equal(1, code [ Forced HookFailed; HookTrouble("hook", Failed "broke") ])

[<Fact>]
let ``each stage has its name`` () =
    let names = states |> List.map Lifecycle.stage |> List.distinct
    for name in names do
        Assert.Equal($"%A{name}", string name)
    Assert.Equal<Stage list>(
        [ Stage.Running; Stage.IdleExpired; Stage.Drilling; Stage.BeforeDrainHooks; Stage.LameDuck; Stage.ClosingListeners; Stage.Draining
          Stage.AfterDrainHooks; Stage.Exited ],
        names
    )

[<Fact>]
let ``a moment beyond the end of time is the end of time`` () =
    let last = Instant Int64.MaxValue
    Assert.Equal(last, at 5 + TimeSpan.MaxValue)
    Assert.Equal(last, Instant(Int64.MaxValue - 1L) + TimeSpan(2L))
    Assert.Equal(last, Instant(Int64.MaxValue - 1L) + TimeSpan(1L))
    Assert.Equal(at 7, at 5 + ms 2)
    Assert.Equal(at 4, at 5 + ms -1)
    Assert.Equal(ms 3, at 5 - at 2)
    Assert.Equal(ms -3, at 2 - at 5)
