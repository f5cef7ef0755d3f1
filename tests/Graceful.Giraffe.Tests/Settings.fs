/// addGraceful, hooks as F# functions, and the options.
module GiraffeUser.Settings

open System
open System.Collections.Generic
open System.Threading.Tasks
open Giraffe
open Graceful.Giraffe
open GiraffeUser.App
open Microsoft.AspNetCore.Builder
open Microsoft.Extensions.DependencyInjection
open Microsoft.Extensions.Options
open Xunit

let private second = TimeSpan.FromSeconds 1.0

[<Fact>]
let ``hooks of every part of the application run in order, with the reason, around the drain`` () : Task =
    task {
        let happened = List<string>()
        let say word = lock happened (fun () -> happened.Add word)
        let door = Door()

        use! app =
            App.Start(
                onStopping "deregister" hang (fun reason _ -> task { say $"deregister: {reason}" })
                // Any task will do.
                >> onDrained "close" hang (fun reason _ ->
                    say $"close: {reason}"
                    Task.CompletedTask),
                services =
                    (addGraceful (onDrained "flush" hang (fun _ token -> task { say $"flush, {token.IsCancellationRequested}" }))
                     >> ignore),
                pipeline = (useGraceful >=> route "/door" >=> passes door)
            )

        let request = app.Get "/door"
        do! door.Reached
        Assert.True(app.Graceful.Close "the admin page")
        do! app.UntilDraining()
        say "answered"
        door.Open()
        let! _ = soon request
        let! report = soon app.Graceful.Completion

        Assert.Equal<string list>(
            [ "deregister: request of the admin page"; "answered"; "close: request of the admin page"; "flush, False" ],
            List.ofSeq happened
        )

        Assert.Equal<(string * string) list>(
            [ "deregister", "succeeded"; "close", "succeeded"; "flush", "succeeded" ],
            [ for hook in report.Hooks -> hook.Name, hook.Outcome ]
        )
    }

[<Fact>]
let ``hooks that say whom they wait for run beside the others, and one that must not fail cuts them off`` () : Task =
    task {
        use! app =
            App.Start(
                onStoppingAfter [] HookFailurePolicy.Continue "beside" hang (fun _ token -> Task.Delay(-1, token))
                >> onStoppingAfter [] HookFailurePolicy.Force "must" hang (fun _ _ -> task { return failwith "no lock" })
                >> onDrainedAfter [ "first" ] HookFailurePolicy.Continue "second" hang (fun _ _ -> task { () })
                >> onDrained "first" hang (fun _ _ -> task { () })
            )

        let! report = app.Leave()

        Assert.Equal<(string * string) list>(
            [ "beside", "cancelled"; "must", "failed (Exception: no lock)"; "first", "succeeded"; "second", "succeeded" ],
            [ for hook in report.Hooks |> Seq.sortBy (fun hook -> List.findIndex ((=) hook.Name) [ "beside"; "must"; "first"; "second" ]) -> hook.Name, hook.Outcome ]
        )
    }

[<Fact>]
let ``a stop of the application may be prevented`` () : Task =
    task {
        let mutable why = Some "a migration runs"
        use! app = App.Start(prevent "migration" (fun _ -> why))
        Assert.False(app.Graceful.Close())
        Assert.False app.Graceful.IsStopping
        why <- None
        Assert.True(app.Graceful.Close())
        let! _ = soon app.Graceful.Completion
        ()
    }

[<Fact>]
let ``a hook that fails, or is over time, is in the report and the exit code`` () : Task =
    task {
        use! app =
            App.Start(
                onDrained "flush" hang (fun _ _ -> task { return failwith "disk full" })
                >> onDrained "stuck" (TimeSpan.FromMilliseconds 50.0) (fun _ token -> Task.Delay(-1, token))
            )

        let! report = app.Leave()
        Assert.Equal((1, ShutdownOutcome.Failed), (report.ExitCode, report.Outcome))
        let outcome name = (report.Hooks |> Seq.find (fun hook -> hook.Name = name)).Outcome
        Assert.Contains("disk full", outcome "flush")
        Assert.DoesNotContain("succeeded", outcome "stuck")
    }

[<Fact>]
let ``options out of bounds fail when the host is built or started, as in CSharp`` () : Task =
    task {
        let! error =
            Assert.ThrowsAsync<OptionsValidationException>(fun () ->
                task {
                    use! _ = App.Start(lameDuck (TimeSpan.FromHours 2.0) >> onDrained "" second (fun _ _ -> Task.CompletedTask))
                    ()
                }
                :> Task)

        Assert.Contains("LameDuck is 02:00:00; allowed is between zero and 01:00:00.", error.Message)
        Assert.Contains("The name of a hook is ''", error.Message)
    }

let private clock = { new TimeProvider() with override _.GetUtcNow() = DateTimeOffset.UnixEpoch }

let private does signal (action: SignalAction) (options: GracefulOptions) =
    match options.Signals.TryGetValue signal with
    | true, found -> obj.ReferenceEquals(found, action)
    | false, _ -> false

/// A property, a setting, and what the property then is.
let private settings: (string * (GracefulOptions -> GracefulOptions) * (GracefulOptions -> bool)) list =
    [ "LameDuck", lameDuck second, (fun o -> o.LameDuck = second)
      "QuietPeriod", quietPeriod second, (fun o -> o.QuietPeriod = second)
      "GracePeriod", gracePeriod second, (fun o -> o.GracePeriod = second)
      "DoubleKickWindow", doubleKickWindow second, (fun o -> o.DoubleKickWindow = second)
      "IdleLimit", idleLimit second, (fun o -> o.IdleLimit = Nullable second)
      "HijackedIsBusy", hijackedIsBusy false, (fun o -> not o.HijackedIsBusy)
      "SettleTime", settleTime second, (fun o -> o.SettleTime = second)
      "Intake", intake IntakeMethod.LastCall, (fun o -> o.Intake = Nullable IntakeMethod.LastCall)
      "StateHandler", onConnection (fun _ _ _ -> ()), (fun o -> not (isNull (box o.StateHandler)))
      "Record", recordTo "way-out.jsonl", (fun o -> o.Record = "way-out.jsonl")
      "RecordLimit", recordLimit 4096L, (fun o -> o.RecordLimit = 4096L)
      "Signals", stopOn "SIGUSR1", does "sigusr1" SignalAction.Stop
      "Signals", stopNowOn "SIGUSR2", does "SIGUSR2" SignalAction.StopNow
      "Signals", onSignal "hup" (fun _ -> Task.CompletedTask), (fun o -> o.Signals.ContainsKey "HUP")
      "Signals", leaveSignal "SIGQUIT", (fun o -> not (o.Signals.ContainsKey "SIGQUIT"))
      "PlatformGracePeriod", platformGracePeriod second, (fun o -> o.PlatformGracePeriod = Nullable second)
      "NotifyServiceManager", notifyServiceManager false, (fun o -> not o.NotifyServiceManager)
      "ExitCodes", exitCodes (fun codes -> codes.TimedOut <- 0), (fun o -> o.ExitCodes.TimedOut = 0)
      "FastCgi", fastCgiLimits (fun limits -> limits.MaxParamsCount <- 7), (fun o -> o.FastCgi.MaxParamsCount = 7)
      "OwnsProcess", ownsProcess false, (fun o -> not o.OwnsProcess)
      "TimeProvider", timeProvider clock, (fun o -> obj.ReferenceEquals(o.TimeProvider, clock)) ]

[<Fact>]
let ``every option has a function that sets it, and returns the options`` () =
    for name, set, isSet in settings do
        let options = GracefulOptions()
        Assert.False(isSet options, $"{name} is so by default")
        Assert.Same(options, set options)
        Assert.True(isSet options, name)

    let properties = [ for property in typeof<GracefulOptions>.GetProperties() -> property.Name ]
    let missing = List.except [ for name, _, _ in settings -> name ] properties
    Assert.True(missing.IsEmpty, $"GracefulSettings has no function for %A{missing}")

[<Fact>]
let ``a connection's phases are observed`` () : Task =
    task {
        let seen = List<ConnectionPhase * ConnectionPhase>()
        let observe _ from into = lock seen (fun () -> seen.Add((from, into)))
        use! app = App.Start(onConnection observe, pipeline = (useGraceful >=> text "ok"))
        let! _ = app.Get "/"
        let! _ = app.Leave()
        Assert.Equal((ConnectionPhase.New, ConnectionPhase.Active), seen[0])
    }
