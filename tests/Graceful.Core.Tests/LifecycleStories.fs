/// Whole ways out, told step by step: when, what happened, what was ordered. Every line is exact.
module Graceful.Core.Tests.LifecycleStories

open System
open Graceful.Core
open Graceful.Core.Tests.LifecycleScript
open Xunit

let private plain =
    { LameDuck = TimeSpan.Zero
      QuietPeriod = ms 500
      GracePeriod = ValueSome(ms 30_000)
      DoubleKick = ms 5000
      IdleLimit = ValueNone
      SuccessorLimit = ms 10_000
      Hooks = [||] }

/// At so many milliseconds this happens, and orders exactly that; the wake-up that goes with it is its own line's last.
let private tell policy story =
    let check state (now, event, expected: Effect list) =
        let struct (next, effects) = Lifecycle.step policy (at now) event state
        Assert.Equal<(int * Event * Effect list)>((now, event, expected), (now, event, effects))
        next
    story |> List.fold check (Lifecycle.initial policy (at 0))

let private sigterm = StopRequested(Signal 15)

let private isExitedWith troubles state =
    match state with
    | Exited s -> Assert.Equal<Trouble list>(troubles, s.Troubles)
    | Running _
    | IdleExpired
    | Drilling _
    | Draining _
    | Hooks _ -> Assert.Fail $"still {Lifecycle.stage state}"

[<Fact>]
let ``a server without wishes drains and exits`` () =
    tell plain
        [ 100, sigterm, [ FailReadiness; FireStopping; StopHost; CloseListeners false; WakeAt(at 150) ]
          120, ListenersClosed, [ RetireConnections; SweepConnections; WakeAt(at 30_100) ]
          121, ConnectionsSwept(ms 400), [ WakeAt(at 521) ]
          521, Woke, [ SweepConnections; WakeAt(at 30_100) ]
          522, ConnectionsSwept(ms 0), [ WakeAt(at 572) ]
          530, GateEmptied, [ Exit 0 ] ]
    |> isExitedWith []

[<Fact>]
let ``listeners that take their time do not keep the quiet ones waiting`` () =
    tell { plain with GracePeriod = ValueSome(ms 600) }
        [ 0, sigterm, [ FailReadiness; FireStopping; StopHost; CloseListeners false; WakeAt(at 50) ]
          50, Woke, [ SweepConnections; WakeAt(at 600) ]
          51, ConnectionsSwept(ms 300), [ WakeAt(at 351) ]
          52, ConnectionsSwept(ms 0), [ WakeAt(at 351) ]
          351, Woke, [ SweepConnections; WakeAt(at 600) ]
          // One sweep at a time: this one is still out.
          352, ListenersClosed, [ RetireConnections; WakeAt(at 600) ]
          353, ConnectionsSwept(ms 100), [ WakeAt(at 453) ]
          453, Woke, [ SweepConnections; WakeAt(at 600) ]
          454, GateEmptied, [ Exit 0 ] ]
    |> isExitedWith []
    tell { plain with GracePeriod = ValueSome(ms 60) }
        [ 0, sigterm, [ FailReadiness; FireStopping; StopHost; CloseListeners false; WakeAt(at 50) ]
          50, Woke, [ SweepConnections; WakeAt(at 60) ]
          60, Woke, [ AbortConnections; Exit 2 ]
          61, ConnectionsSwept(ms 300), [] ]
    |> isExitedWith [ Forced GracePeriodOver ]

[<Fact>]
let ``the whole way out`` () =
    let policy =
        { plain with
            LameDuck = ms 300
            Hooks =
                [| hook "flush" AfterDrain 1000; hook "deregister" BeforeDrain 1000; hook "warn" BeforeDrain 50
                   hook "close" AfterDrain 2000 |] }
    tell policy
        [ 0, sigterm, [ FailReadiness; FireStopping; StopHost; StartHook 1; WakeAt(at 1000) ]
          10, HookFinished(1, Succeeded), [ StartHook 2; WakeAt(at 60) ]
          60, Woke, [ CancelHook 2; AnnounceLeaving; WakeAt(at 360) ]
          61, HookFinished(2, Succeeded), [ WakeAt(at 360) ]
          360, Woke, [ CloseListeners false; WakeAt(at 410) ]
          370, ListenersClosed, [ RetireConnections; SweepConnections; WakeAt(at 30_000) ]
          380, GateEmptied, [ StartHook 0; WakeAt(at 1380) ]
          400, HookFinished(0, Failed "disk full"), [ StartHook 3; WakeAt(at 2400) ]
          500, HookFinished(3, Succeeded), [ Exit 1 ] ]
    |> isExitedWith [ HookTrouble("flush", Failed "disk full"); HookTrouble("warn", TimedOut) ]

[<Fact>]
let ``time runs out: connections are aborted, hooks still run`` () =
    let policy =
        { plain with
            GracePeriod = ValueSome(ms 1000)
            Hooks = [| hook "flush" AfterDrain 100; hook "close" AfterDrain 100 |] }
    tell policy
        [ 0, StopRequested Requested, [ FailReadiness; FireStopping; StopHost; CloseListeners false; WakeAt(at 50) ]
          5, ListenersClosed, [ RetireConnections; SweepConnections; WakeAt(at 1000) ]
          1000, Woke, [ AbortConnections; StartHook 0; WakeAt(at 1100) ]
          1001, GateEmptied, [ WakeAt(at 1100) ]
          1100, Woke, [ CancelHook 0; StartHook 1; WakeAt(at 1200) ]
          1150, HookFinished(1, Succeeded), [ Exit 2 ] ]
    |> isExitedWith [ HookTrouble("flush", TimedOut); Forced GracePeriodOver ]

[<Fact>]
let ``a forced stop skips the hooks that wait and cuts the one that runs`` () =
    let policy = { plain with Hooks = [| for name in [ "a"; "b"; "c" ] -> hook name BeforeDrain 1000 |] }
    tell policy
        [ 0, sigterm, [ FailReadiness; FireStopping; StopHost; StartHook 0; WakeAt(at 1000) ]
          1, HookFinished(0, Succeeded), [ StartHook 1; WakeAt(at 1001) ]
          2, ForceRequested HostTimedOut, [ CancelHook 1; CloseListeners false; AbortConnections; Exit 2 ] ]
    |> isExitedWith [ HookTrouble("c", Skipped); HookTrouble("b", Cancelled); Forced HostTimedOut ]

[<Fact>]
let ``a force in the lame duck closes the listeners, and one after that does not close them again`` () =
    let policy = { plain with LameDuck = ms 300 }
    let lame = [ 0, sigterm, [ FailReadiness; FireStopping; StopHost; AnnounceLeaving; WakeAt(at 300) ] ]
    tell policy (lame @ [ 1, sigterm, [ CloseListeners false; AbortConnections; Exit 3 ] ])
    |> isExitedWith [ Forced SecondSignal ]
    tell policy
        (lame
         @ [ 300, Woke, [ CloseListeners false; WakeAt(at 350) ]
             301, sigterm, [ AbortConnections; Exit 3 ]
             302, ListenersClosed, [] ])
    |> isExitedWith [ Forced SecondSignal ]

[<Fact>]
let ``a component that fails starts an orderly stop, and the exit code tells`` () =
    let broken = StopRequested(ComponentFailed("queue", "connection lost"))
    tell { plain with DoubleKick = ms 5000 }
        [ 0, broken, [ FailReadiness; FireStopping; StopHost; CloseListeners false; WakeAt(at 50) ]
          // It says so twice, and is no kick.
          1, broken, [ WakeAt(at 50) ]
          2, sigterm, [ WakeAt(at 50) ]
          10, ListenersClosed, [ RetireConnections; SweepConnections; WakeAt(at 30_000) ]
          20, GateEmptied, [ Exit 1 ]
          30, StopRequested(ComponentFailed("cache", "too late to tell")), [] ]
    |> isExitedWith [ ComponentTrouble("queue", "connection lost") ]
    tell { plain with Hooks = [| hook "flush" AfterDrain 1000 |] }
        [ 0, sigterm, [ FailReadiness; FireStopping; StopHost; CloseListeners false; WakeAt(at 50) ]
          10, ListenersClosed, [ RetireConnections; SweepConnections; WakeAt(at 30_000) ]
          11, broken, [ WakeAt(at 30_000) ]
          20, GateEmptied, [ StartHook 0; WakeAt(at 1020) ]
          30, StopRequested(ComponentFailed("cache", "cold")), [ WakeAt(at 1020) ]
          40, HookFinished(0, Succeeded), [ Exit 1 ] ]
    |> isExitedWith [ ComponentTrouble("cache", "cold"); ComponentTrouble("queue", "connection lost") ]

[<Fact>]
let ``a stop at once skips the way there`` () =
    let policy = { plain with LameDuck = ms 300; Hooks = [| hook "flush" AfterDrain 1000 |] }
    tell policy
        [ 0, sigterm, [ FailReadiness; FireStopping; StopHost; AnnounceLeaving; WakeAt(at 300) ]
          0, ForceRequested StopNow, [ CloseListeners false; AbortConnections; StartHook 0; WakeAt(at 1000) ]
          // Said again, or by a signal that is a kick as well: the hooks run whatever happened.
          1, ForceRequested StopNow, [ WakeAt(at 1000) ]
          5, HookFinished(0, Succeeded), [ Exit 3 ] ]
    |> isExitedWith [ Forced StopNow ]
    tell { policy with LameDuck = TimeSpan.Zero }
        [ 0, sigterm, [ FailReadiness; FireStopping; StopHost; CloseListeners false; WakeAt(at 50) ]
          1, StopRequested(Signal 12), [ AbortConnections; StartHook 0; WakeAt(at 1001) ]
          1, ForceRequested StopNow, [ WakeAt(at 1001) ]
          5, HookFinished(0, Succeeded), [ Exit 3 ] ]
    |> isExitedWith [ Forced SecondSignal ]

[<Fact>]
let ``a second signal outside the window does not force, but a third soon after the second does`` () =
    tell plain
        [ 0, sigterm, [ FailReadiness; FireStopping; StopHost; CloseListeners false; WakeAt(at 50) ]
          5001, sigterm, [ WakeAt(at 50) ]
          10_001, sigterm, [ AbortConnections; Exit 3 ] ]
    |> isExitedWith [ Forced SecondSignal ]

[<Fact>]
let ``the first signal after another trigger does not force, the next does`` () =
    tell plain
        [ 0, StopRequested HostStopped, [ FailReadiness; FireStopping; StopHost; CloseListeners false; WakeAt(at 50) ]
          1, sigterm, [ WakeAt(at 50) ]
          2, StopRequested Requested, [ WakeAt(at 50) ]
          3, sigterm, [ AbortConnections; Exit 3 ] ]
    |> isExitedWith [ Forced SecondSignal ]

[<Fact>]
let ``without a double kick no signal forces`` () =
    tell { plain with DoubleKick = TimeSpan.Zero }
        [ 0, sigterm, [ FailReadiness; FireStopping; StopHost; CloseListeners false; WakeAt(at 50) ]
          0, sigterm, [ WakeAt(at 50) ]
          1, sigterm, [ WakeAt(at 50) ] ]
    |> ignore

/// A fixed bug: the signal that forced was not remembered, so the one after it was measured against the first.
[<Fact>]
let ``a signal after the one that forced cuts the after-drain hook that hangs`` () =
    let policy = { plain with Hooks = [| for name in [ "a"; "b"; "c" ] -> hook name AfterDrain 9000 |] }
    tell policy
        [ 0, sigterm, [ FailReadiness; FireStopping; StopHost; CloseListeners false; WakeAt(at 50) ]
          4000, sigterm, [ AbortConnections; StartHook 0; WakeAt(at 13_000) ]
          8000, sigterm, [ CancelHook 0; StartHook 1; WakeAt(at 17_000) ]
          12_000, sigterm, [ CancelHook 1; StartHook 2; WakeAt(at 21_000) ]
          17_001, sigterm, [ WakeAt(at 21_000) ]
          17_002, ForceRequested HostTimedOut, [ CancelHook 2; Exit 3 ] ]
    |> isExitedWith
        [ HookTrouble("c", Cancelled); Forced HostTimedOut; HookTrouble("b", Cancelled); HookTrouble("a", Cancelled)
          Forced SecondSignal ]

[<Fact>]
let ``without a grace period a drain waits for ever`` () =
    tell { plain with GracePeriod = ValueNone; LameDuck = ms 300 }
        [ 0, sigterm, [ FailReadiness; FireStopping; StopHost; AnnounceLeaving; WakeAt(at 300) ]
          300, Woke, [ CloseListeners false; WakeAt(at 350) ]
          310, ListenersClosed, [ RetireConnections; SweepConnections ]
          320, ConnectionsSwept(ms 100), [ WakeAt(at 420) ]
          420, Woke, [ SweepConnections ]
          9_999_999, GateEmptied, [ Exit 0 ] ]
    |> isExitedWith []

[<Fact>]
let ``nobody was busy: a second look, and then the way out without a lame duck`` () =
    tell { plain with IdleLimit = ValueSome(ms 1000); LameDuck = ms 300 }
        [ 999, Woke, [ WakeAt(at 1000) ]
          1000, Woke, [ SampleIdle ]
          1001, IdleSampled(0, ms 400), [ WakeAt(at 1601) ]
          1601, Woke, [ SampleIdle ]
          1602, IdleSampled(2, ms 0), [ WakeAt(at 2602) ]
          2602, Woke, [ SampleIdle ]
          2603, IdleSampled(0, ms 1000), [ PauseAccepting; SampleIdle ]
          2604, IdleSampled(1, ms 0), [ ResumeAccepting; WakeAt(at 3604) ]
          3604, Woke, [ SampleIdle ]
          3605, IdleSampled(0, ms 1000), [ PauseAccepting; SampleIdle ]
          3606, IdleSampled(0, ms 999), [ ResumeAccepting; WakeAt(at 4606) ]
          4606, Woke, [ SampleIdle ]
          4607, IdleSampled(0, ms 2000), [ PauseAccepting; SampleIdle ]
          4608, IdleSampled(0, ms 2001), [ FailReadiness; FireStopping; StopHost; CloseListeners false; WakeAt(at 4658) ]
          4609, ListenersClosed, [ RetireConnections; SweepConnections; WakeAt(at 34_608) ]
          4610, GateEmptied, [ Exit 0 ] ]
    |> isExitedWith []

[<Fact>]
let ``whoever asks while accepting is paused gets it back first`` () =
    let policy = { plain with IdleLimit = ValueSome(ms 1000); LameDuck = ms 300 }
    let paused =
        [ 1000, Woke, [ SampleIdle ]
          1001, IdleSampled(0, ms 1000), [ PauseAccepting; SampleIdle ] ]
    tell policy
        (paused @ [ 1002, sigterm, [ ResumeAccepting; FailReadiness; FireStopping; StopHost; AnnounceLeaving; WakeAt(at 1302) ] ])
    |> ignore
    tell policy
        (paused
         @ [ 1002, HandOverRequested, [ ResumeAccepting; StartSuccessor; WakeAt(at 11_002) ]
             1003, IdleSampled(0, ms 1003), [ WakeAt(at 2003) ]
             2003, Woke, [ SampleIdle; WakeAt(at 11_002) ]
             2004, IdleSampled(0, ms 5000), [ WakeAt(at 3004) ] ])
    |> ignore

[<Fact>]
let ``a second look that a hand-over interrupted does not pass for the answer to a later one`` () =
    tell { plain with IdleLimit = ValueSome(ms 1000) }
        [ 1000, Woke, [ SampleIdle ]
          1001, IdleSampled(0, ms 1000), [ PauseAccepting; SampleIdle ]
          1002, HandOverRequested, [ ResumeAccepting; StartSuccessor; WakeAt(at 11_002) ]
          1003, SuccessorFailed "no port", []
          // No other look begins while the one of 1001 is out; its answer is of a time when nobody was let in.
          9000, Woke, []
          9001, IdleSampled(0, ms 1002), [ PauseAccepting; SampleIdle ]
          9002, IdleSampled(1, ms 0), [ ResumeAccepting; WakeAt(at 10_002) ] ]
    |> ignore

[<Fact>]
let ``a successor takes over: no lame duck, readiness holds, its queue is its own`` () =
    tell { plain with LameDuck = ms 300 }
        [ 0, HandOverRequested, [ StartSuccessor; WakeAt(at 10_000) ]
          1, HandOverRequested, [ RefuseHandOver; WakeAt(at 10_000) ]
          900, SuccessorReady, [ FireStopping; StopHost; CloseListeners true; WakeAt(at 950) ]
          901, HandOverRequested, [ RefuseHandOver; WakeAt(at 950) ]
          910, ListenersClosed, [ RetireConnections; SweepConnections; WakeAt(at 30_900) ]
          920, GateEmptied, [ Exit 0 ]
          930, HandOverRequested, [ RefuseHandOver ] ]
    |> isExitedWith []

[<Fact>]
let ``a successor fails or is too late, and the server runs on`` () =
    let state =
        tell plain
            [ 0, HandOverRequested, [ StartSuccessor; WakeAt(at 10_000) ]
              5, SuccessorFailed "no port", []
              6, SuccessorReady, []
              7, HandOverRequested, [ StartSuccessor; WakeAt(at 10_007) ]
              10_007, Woke, [ AbandonSuccessor ]
              10_008, SuccessorReady, [] ]
    Assert.Equal(Running(Absent, ValueNone), state)

[<Fact>]
let ``a look at idleness leaves the successor on its way up`` () =
    tell { plain with IdleLimit = ValueSome(ms 1000) }
        [ 900, HandOverRequested, [ StartSuccessor; WakeAt(at 1000) ]
          1000, Woke, [ SampleIdle; WakeAt(at 10_900) ]
          1001, IdleSampled(0, ms 1001), [ WakeAt(at 2001) ]
          1002, SuccessorReady, [ FireStopping; StopHost; CloseListeners true; WakeAt(at 1052) ] ]
    |> ignore

[<Fact>]
let ``a stop while a successor starts abandons it`` () =
    tell plain
        [ 0, HandOverRequested, [ StartSuccessor; WakeAt(at 10_000) ]
          5, sigterm, [ AbandonSuccessor; FailReadiness; FireStopping; StopHost; CloseListeners false; WakeAt(at 55) ]
          6, SuccessorReady, [ WakeAt(at 55) ] ]
    |> ignore

[<Fact>]
let ``a force before the hand-over's hooks are done leaves the successor its queue`` () =
    tell { plain with Hooks = [| hook "a" BeforeDrain 100 |] }
        [ 0, HandOverRequested, [ StartSuccessor; WakeAt(at 10_000) ]
          9, SuccessorReady, [ FireStopping; StopHost; StartHook 0; WakeAt(at 109) ]
          10, ForceRequested HostTimedOut, [ CancelHook 0; CloseListeners true; AbortConnections; Exit 2 ] ]
    |> isExitedWith [ HookTrouble("a", Cancelled); Forced HostTimedOut ]

[<Fact>]
let ``a stop that only the application asked for is undone, and idleness is looked at as before`` () =
    let policy =
        { plain with
            LameDuck = ms 300
            IdleLimit = ValueSome(ms 1000)
            Hooks = [| hook "deregister" BeforeDrain 100 |] }
    tell policy
        [ 1000, Woke, [ SampleIdle ]
          1001, StopRequested Requested, [ FailReadiness; FireStopping; StartHook 0; WakeAt(at 1101) ]
          // The look that was out is answered meanwhile, and none is out any more.
          1002, IdleSampled(0, ms 1001), [ WakeAt(at 1101) ]
          1003, StopRequested Requested, [ WakeAt(at 1101) ]
          1004, ResumeRequested, [ CancelHook 0; RestoreReadiness; RenewStopping; WithdrawNotice; WakeAt(at 2002) ]
          1005, HookFinished(0, Failed "too late to tell"), [ WakeAt(at 2002) ]
          2002, Woke, [ SampleIdle ]
          2003, IdleSampled(1, ms 0), [ WakeAt(at 3003) ]
          2004, StopRequested Requested, [ FailReadiness; FireStopping; StartHook 0; WakeAt(at 2104) ]
          2010, HookFinished(0, Succeeded), [ AnnounceLeaving; WakeAt(at 2310) ]
          2011, sigterm, [ StopHost; WakeAt(at 2310) ]
          2012, ResumeRequested, [ RefuseResume; WakeAt(at 2310) ]
          2310, Woke, [ CloseListeners false; WakeAt(at 2360) ]
          2320, ListenersClosed, [ RetireConnections; SweepConnections; WakeAt(at 32_004) ]
          2330, GateEmptied, [ Exit 0 ] ]
    |> isExitedWith []

[<Fact>]
let ``a drill is a lame duck that leads back`` () =
    tell { plain with IdleLimit = ValueSome(ms 1000) }
        [ 1000, Woke, [ SampleIdle ]
          1001, DrillRequested(ms 200), [ FailReadiness; AnnounceLeaving; WakeAt(at 1201) ]
          1002, DrillRequested(ms 200), [ RefuseDrill; WakeAt(at 1201) ]
          1003, HandOverRequested, [ RefuseHandOver; WakeAt(at 1201) ]
          1004, IdleSampled(0, ms 1004), [ WakeAt(at 1201) ]
          1201, Woke, [ RestoreReadiness; WithdrawNotice; WakeAt(at 2004) ]
          1300, DrillRequested(ms 200), [ FailReadiness; AnnounceLeaving; WakeAt(at 1500) ]
          1301, ResumeRequested, [ RestoreReadiness; WithdrawNotice; WakeAt(at 2004) ]
          1400, DrillRequested(ms 200), [ FailReadiness; AnnounceLeaving; WakeAt(at 1600) ]
          // It is unready already.
          1401, sigterm, [ FireStopping; StopHost; CloseListeners false; WakeAt(at 1451) ]
          1402, ListenersClosed, [ RetireConnections; SweepConnections; WakeAt(at 31_401) ]
          1403, GateEmptied, [ Exit 0 ] ]
    |> isExitedWith []

[<Fact>]
let ``hooks run beside each other, and one that must not fail cuts its stage short`` () =
    let after names hook = { hook with WaitsFor = ValueSome names }
    let policy =
        { plain with
            Hooks =
                [| hook "deregister" BeforeDrain 1000
                   { after [] (hook "fence" BeforeDrain 50) with OnFailure = Force }
                   after [ "deregister"; "fence" ] (hook "warn" BeforeDrain 1000)
                   after [] (hook "flush" AfterDrain 100)
                   after [] (hook "log off" AfterDrain 200)
                   after [ "flush"; "log off" ] (hook "close" AfterDrain 100) |] }
    let stop = [ 0, sigterm, [ FailReadiness; FireStopping; StopHost; StartHook 0; StartHook 1; WakeAt(at 50) ] ]
    let drained =
        [ 35, GateEmptied, [ StartHook 3; StartHook 4; WakeAt(at 135) ]
          40, HookFinished(4, Succeeded), [ WakeAt(at 135) ]
          135, Woke, [ CancelHook 3; StartHook 5; WakeAt(at 235) ]
          140, HookFinished(5, Succeeded), [ Exit 1 ] ]
    tell policy
        (stop
         @ [ 10, HookFinished(1, Succeeded), [ WakeAt(at 1000) ]
             20, HookFinished(0, Succeeded), [ StartHook 2; WakeAt(at 1020) ]
             25, HookFinished(2, Succeeded), [ CloseListeners false; WakeAt(at 75) ]
             30, ListenersClosed, [ RetireConnections; SweepConnections; WakeAt(at 30_000) ] ]
         @ drained)
    |> isExitedWith [ HookTrouble("flush", TimedOut) ]
    tell policy
        (stop
         @ [ 50, Woke, [ CancelHook 1; CancelHook 0; CloseListeners false; AbortConnections; StartHook 3; StartHook 4; WakeAt(at 150) ]
             60, HookFinished(3, Succeeded), [ WakeAt(at 250) ]
             61, HookFinished(4, Succeeded), [ StartHook 5; WakeAt(at 161) ]
             62, HookFinished(5, Succeeded), [ Exit 1 ] ])
    |> isExitedWith [ HookTrouble("warn", Skipped); HookTrouble("deregister", Cancelled); Forced HookFailed; HookTrouble("fence", TimedOut) ]
