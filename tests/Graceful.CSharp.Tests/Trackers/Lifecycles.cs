using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using Graceful.Tests.Support;
using Microsoft.Extensions.Options;

namespace Graceful.Tests.Trackers;

/// <summary>The way out without a host.</summary>
public sealed class Lifecycles
{
    private static readonly TimeSpan Long = TimeSpan.FromMinutes(10);

    [Fact]
    public async Task With_nobody_inside_it_ends_at_once_and_says_so()
    {
        await using var life = new Life();
        Assert.False(life.Graceful.IsStopping);
        Assert.True(life.Graceful.IsReady);
        Assert.Null(life.Graceful.StopReason);
        var stopping = life.Graceful.Stopping;
        Assert.True(await life.Graceful.CloseAsync("the test", TestContext.Current.CancellationToken).Soon());
        var report = await life.ReportAsync();
        Assert.Equal((0, "the test"), (report.ExitCode, report.Reason.Who));
        Assert.Equal((true, false), (life.Graceful.IsStopping, life.Graceful.IsReady));
        await Limits.Until(() => stopping.IsCancellationRequested, "Stopping fires");
        Assert.True(life.Log.Has("Left after request of the test"));
        Assert.False(life.Graceful.Close());
    }

    [Fact]
    public void Options_that_make_no_sense_are_refused_as_a_host_refuses_them()
    {
        var error = Assert.Throws<OptionsValidationException>(() => GracefulLifecycle.Start(options =>
        {
            options.Signals.Clear();
            options.GracePeriod = TimeSpan.Zero;
            options.QuietPeriod = TimeSpan.FromHours(1);
        }));
        Assert.Contains("GracePeriod is 00:00:00; allowed is more than zero", error.Message, StringComparison.Ordinal);
        Assert.Contains("QuietPeriod is 01:00:00; allowed is between zero and 00:01:00.", error.Message, StringComparison.Ordinal);
        Assert.Equal(2, error.Failures.Count());
    }

    [Fact]
    public async Task Hooks_run_in_their_order_around_the_drain()
    {
        var steps = new List<string>();
        await using var life = new Life(options => options
            .OnStopping("deregister", Long, (_, _) => steps.Add("deregister"))
            .OnDrained("flush", Long, (reason, _) => steps.Add($"flush after {reason}")));
        life.Graceful.OnStopping("late", Long, (_, _) => steps.Add("late"));
        life.Graceful.OnDrained("sweep", Long, (_, _) => steps.Add("sweep"));
        await using var server = new ForeignServer(life.Graceful);
        using var active = await server.ActiveAsync();
        await life.BeginDrainAsync();
        Assert.Equal(["deregister", "late"], steps);
        server.Door.Open();
        var report = await life.ReportAsync();
        Assert.Equal(["deregister", "late", "flush after request of the application", "sweep"], steps);
        Assert.Equal((0, 4), (report.ExitCode, report.Hooks.Count));
    }

    [Fact]
    public async Task A_stop_may_be_prevented_and_undone_and_a_lame_duck_practised()
    {
        var migrating = true;
        await using var life = new Life(options =>
        {
            (options.LameDuck, options.GracePeriod) = (Long, 2 * Long);
            options.Prevent("migration", _ => Volatile.Read(ref migrating) ? "a migration runs" : null);
        });
        await using var server = new ForeignServer(life.Graceful);
        Assert.False(life.Graceful.Close());
        Volatile.Write(ref migrating, false);
        Assert.True(life.Graceful.Close());
        await life.Log.Until("to LameDuck after");
        Assert.Equal((false, true), (life.Graceful.IsReady, life.Graceful.IsStopping));
        Assert.True(await life.Graceful.ResumeAsync().Soon());
        Assert.Equal((true, false), (life.Graceful.IsReady, life.Graceful.IsStopping));
        var drill = life.Graceful.DrillAsync();
        await life.Log.Until("Drilling for");
        await Limits.Until(() => !life.Graceful.IsReady, "it is not ready in a drill");
        Assert.True(await life.Graceful.ResumeAsync().Soon());
        Assert.True(await drill.Soon());
        Assert.True(await life.Graceful.DrillAsync(TimeSpan.FromMilliseconds(50)).Soon());
        using var client = await server.IdleAsync();
        Assert.Equal(0, server.Stops);
    }

    [Fact]
    public async Task Work_is_waited_for_named_and_cut_off()
    {
        await using var life = new Life(options => options.GracePeriod = TimeSpan.FromSeconds(1));
        var cut = life.Graceful.Run("index", async aborting =>
        {
            await Task.Delay(Timeout.Infinite, aborting);
            return 1;
        });
        var stubborn = life.Graceful.Begin("rebuild");
        Assert.Equal(["index", "rebuild"], life.Graceful.Work.Select(work => work.Name).Order());
        Assert.Null(life.Graceful.TimeLeft);
        life.Graceful.Close();
        await Limits.Until(() => life.Graceful.TimeLeft is { } left && left <= TimeSpan.FromSeconds(1), "time runs");
        var report = await life.ReportAsync();
        Assert.Equal((2, 2), (report.ExitCode, report.WorkCutOff.Count));
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => cut.Soon());
        Assert.True(life.Graceful.Aborting.IsCancellationRequested);
        stubborn.Dispose();
    }

    [Fact]
    public async Task A_component_that_fails_ends_it_with_code_1()
    {
        await using var life = new Life();
        life.Graceful.Guard("consumer", Task.FromException(new InvalidOperationException("no broker")));
        var report = await life.ReportAsync();
        Assert.Equal((1, StopCause.ComponentFailed, "consumer"), (report.ExitCode, report.Reason.Cause, report.Reason.Who));
    }

    [Fact]
    public async Task A_stop_at_once_is_forced_with_code_3()
    {
        await using var life = new Life();
        await using var server = new ForeignServer(life.Graceful);
        using var active = await server.ActiveAsync();
        Assert.True(life.Graceful.CloseNow("the operator"));
        var report = await life.ReportAsync();
        Assert.Equal((3, 1), (report.ExitCode, (int)report.ConnectionsAborted));
        Assert.Equal(Ending.Reset, await active.EndAsync());
    }

    [Fact]
    public async Task Disposed_it_leaves_in_order_and_waits_for_that()
    {
        var steps = new List<string>();
        var life = new Life(options => options
            .Prevent("anything", _ => "never")
            .OnDrained("flush", Long, (_, _) => steps.Add("flush")));
        await using var server = new ForeignServer(life.Graceful);
        using var active = await server.ActiveAsync();
        var disposing = life.Graceful.DisposeAsync().AsTask();
        var again = life.Graceful.DisposeAsync().AsTask();
        await life.Log.Until("to Draining after");
        Assert.False(disposing.IsCompleted || again.IsCompleted);
        server.Door.Open();
        await ForeignServer.AnswersAsync(active, "open");
        await disposing.Soon("The disposal");
        await again.Soon("The disposal");
        var report = await life.ReportAsync();
        Assert.Equal((0, StopCause.HostStopped), (report.ExitCode, report.Reason.Cause));
        Assert.Equal(["flush"], steps);

        // What is asked afterwards is answered, too.
        Assert.False(life.Graceful.Close());
        Assert.False(await life.Graceful.ResumeAsync().Soon());
        life.Graceful.Ready();
        await life.DisposeAsync();
    }

    [Fact]
    public async Task Disposed_in_a_hook_it_does_not_wait_for_itself()
    {
        GracefulLifecycle? own = null;
        await using var life = new Life(options => options.OnDrained("dispose", Long, async (_, _) => await own!.DisposeAsync()));
        own = life.Graceful;
        var report = await life.LeaveAsync();
        Assert.Equal((0, "succeeded"), (report.ExitCode, Assert.Single(report.Hooks).Outcome));
    }

    [Fact]
    public async Task A_budget_that_does_not_fit_is_said_at_start()
    {
        await using var life = new Life(options => options.PlatformGracePeriod = TimeSpan.FromSeconds(30));
        await life.Log.Until("The way out may take GracePeriod 30 s, but PlatformGracePeriod is 30 s");
    }

    [Fact]
    public async Task The_meter_counts_who_is_tracked_and_the_way_out_is_told()
    {
        await using var life = new Life(options =>
        {
            options.GracePeriod = TimeSpan.FromMilliseconds(300);
            options.ExitCodes.TimedOut = 77;
        });
        await using var server = new ForeignServer(life.Graceful);
        using var active = await server.ActiveAsync();
        using var idle = await server.IdleAsync();
        using var alsoIdle = await server.IdleAsync();
        using var work = life.Graceful.Begin("work");

        // Tests beside this one have meters of that name as well: each scope is one of them.
        var seen = new ConcurrentDictionary<(object? Scope, string What), int>();
        var told = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        using var listener = new MeterListener();
        listener.InstrumentPublished = (instrument, own) =>
        {
            if (instrument.Meter.Name == "Graceful")
            {
                own.EnableMeasurementEvents(instrument);
            }
        };
        listener.SetMeasurementEventCallback<int>((instrument, value, tags, _) =>
            seen[(instrument.Meter.Scope, tags.Length > 0 ? $"{tags[0].Value}" : instrument.Name)] = value);
        listener.SetMeasurementEventCallback<double>((_, _, tags, _) =>
        {
            if (tags[1].Value is "TimedOut" && tags[2].Value is 77)
            {
                told.TrySetResult();
            }
        });
        listener.Start();
        listener.RecordObservableInstruments();
        Assert.Contains(seen.Keys, key => new[] { ("active", 1), ("idle", 2), ("new", 0), ("graceful.active_requests", 1), ("graceful.active_work", 1) }
            .All(wanted => seen.GetValueOrDefault((key.Scope, wanted.Item1), -1) == wanted.Item2));
        Assert.Equal(77, (await life.LeaveAsync()).ExitCode);
        Assert.True(told.Task.IsCompleted);
    }
}
