using System.Net;
using Graceful.Core;
using Graceful.Tests.Support;
using Microsoft.AspNetCore.Builder;

namespace Graceful.Tests.Stops;

/// <summary>Stops that are prevented or undone, and drills.</summary>
public sealed class WaysBack
{
    private static readonly TimeSpan Long = TimeSpan.FromMinutes(10);

    [Fact]
    public async Task A_stop_by_the_application_is_undone_in_its_lame_duck_and_the_server_is_as_before()
    {
        await using var app = await TestApp.StartAsync(options => (options.LameDuck, options.GracePeriod) = (Long, 2 * Long), map: app => app.MapGracefulHealth());
        using var client = await RawClient.ConnectAsync(app.Port);
        Assert.Equal(200, (await client.GetAsync("/")).Status);
        var stopping = app.Graceful.Stopping;
        var closing = app.Graceful.CloseAsync("the admin page", TestContext.Current.CancellationToken);
        await app.UntilTellingAsync("LameDuck");
        Assert.True(stopping.IsCancellationRequested);
        Assert.Equal("the admin page", app.Graceful.StopReason?.Who);
        Assert.False(app.Lifetime.ApplicationStopping.IsCancellationRequested);
        Assert.Equal(503, await ReadyAsync(app));
        var told = await client.GetAsync("/");
        Assert.True(told.IsTold);

        Assert.True(await app.Graceful.ResumeAsync().Soon());
        Assert.False(await closing.Soon());
        Assert.False(app.Graceful.IsStopping);
        Assert.Null(app.Graceful.StopReason);
        Assert.False(app.Graceful.Stopping.IsCancellationRequested);
        Assert.Equal(200, await ReadyAsync(app));
        using var next = await RawClient.ConnectAsync(app.Port);
        Assert.False((await next.GetAsync("/")).IsTold);
        Assert.False((await next.GetAsync("/")).IsTold);

        // And the next stop is a stop.
        Assert.True(app.Graceful.Close());
        await app.UntilTellingAsync("LameDuck");
        Assert.True(app.Graceful.Stopping.IsCancellationRequested);
        Assert.True(await app.Graceful.ResumeAsync().Soon());
    }

    [Fact]
    public async Task Hooks_of_a_stop_that_is_undone_are_cancelled_and_run_again_on_the_next()
    {
        var runs = 0;
        var cancelled = new TaskCompletionSource();
        var running = new TaskCompletionSource();
        await using var app = await TestApp.StartAsync(options => options.OnStopping("deregister", Long, async (_, token) =>
        {
            if (Interlocked.Increment(ref runs) == 1)
            {
                token.Register(() => cancelled.TrySetResult());
                running.TrySetResult();
                await Task.Delay(Timeout.Infinite, token);
            }
        }));
        app.Graceful.Close();
        await running.Task.Soon();
        Assert.True(await app.Graceful.ResumeAsync().Soon());
        await cancelled.Task.Soon();
        var report = await app.LeaveAsync();
        Assert.Equal(2, runs);
        Assert.Equal(0, report.ExitCode);
        Assert.Equal("succeeded", Assert.Single(report.Hooks).Outcome);
        await app.Log.Until("The stop was undone");
    }

    [Fact]
    public async Task A_hook_never_runs_beside_itself_and_one_that_was_cancelled_before_it_began_does_not_run()
    {
        var door = new Door();
        var runs = 0;
        await using var app = await TestApp.StartAsync(options => options.OnStopping("stubborn", Long, (_, _) =>
        {
            Interlocked.Increment(ref runs);
            return door.PassAsync();
        }));
        app.Graceful.Close();
        await door.Reached();
        Assert.True(await app.Graceful.ResumeAsync().Soon());

        // The first run ignores its token, so the second has to wait, and is cancelled meanwhile.
        app.Graceful.Close();
        await app.Log.Until("to BeforeDrainHooks after");
        Assert.True(await app.Graceful.ResumeAsync().Soon());
        Assert.Equal(1, runs);
        door.Open();
        Assert.Equal(0, (await app.LeaveAsync()).ExitCode);
        Assert.Equal(2, runs);
    }

    [Fact]
    public async Task A_stop_that_is_undone_at_once_fires_its_own_token_and_no_other()
    {
        await using var app = await TestApp.StartAsync(options => (options.LameDuck, options.GracePeriod) = (Long, 2 * Long));
        for (var i = 0; i < 50; i++)
        {
            var stopping = app.Graceful.Stopping;
            app.Graceful.Close($"caller {i}");
            Assert.True(await app.Graceful.ResumeAsync().Soon());
            await Limits.Until(() => stopping.IsCancellationRequested, "the token of the stop fires");
            await app.Log.Until($"Leaving: request of caller {i}");
            Assert.False(app.Graceful.Stopping.IsCancellationRequested);
        }
    }

    [Fact]
    public async Task What_others_want_stopped_is_not_undone()
    {
        await using var app = await TestApp.StartAsync(options => (options.LameDuck, options.GracePeriod) = (Long, 2 * Long));
        Assert.False(await app.Graceful.ResumeAsync().Soon());
        app.Graceful.Close();
        await app.UntilTellingAsync("LameDuck");
        app.Engine.Stop(Trigger.NewSignal(15));
        Assert.False(await app.Graceful.ResumeAsync().Soon());
        await Limits.Until(() => app.Lifetime.ApplicationStopping.IsCancellationRequested, "the host is told");
        Assert.True(app.Graceful.IsStopping);
        app.Engine.Post(Event.NewForceRequested(ForceCause.StopNow));
        await app.ReportAsync();
        Assert.False(await app.Graceful.ResumeAsync().Soon());
    }

    [Fact]
    public async Task A_signal_that_comes_while_a_stop_is_undone_is_a_stop()
    {
        await using var app = await TestApp.StartAsync(options => (options.LameDuck, options.GracePeriod) = (Long, 2 * Long));
        app.Graceful.Close();
        await app.UntilTellingAsync("LameDuck");

        // The core has decided, and nothing is carried out yet.
        var late = false;
        app.Engine.Observer = state =>
        {
            if (state.IsRunning && !late)
            {
                late = true;
                app.Engine.Stop(Trigger.NewSignal(15));
            }
        };
        Assert.True(await app.Graceful.ResumeAsync().Soon());
        await Limits.Until(() => app.Lifetime.ApplicationStopping.IsCancellationRequested, "the host is told");
        Assert.True(app.Graceful.IsStopping);
        Assert.True(app.Graceful.Stopping.IsCancellationRequested);
        Assert.Equal(StopCause.Signal, app.Graceful.StopReason?.Cause);
        app.Engine.Post(Event.NewForceRequested(ForceCause.StopNow));
        await app.ReportAsync();
    }

    [Fact]
    public async Task Once_the_listeners_close_there_is_no_way_back()
    {
        await using var app = await TestApp.StartAsync();
        using var client = await RawClient.ConnectAsync(app.Port);
        await client.SendGetAsync("/door");
        await app.Door.Reached();
        await app.BeginDrainAsync();
        Assert.False(await app.Graceful.ResumeAsync().Soon());
        app.Door.Open();
        Assert.Equal(0, (await app.ReportAsync()).ExitCode);
    }

    [Fact]
    public async Task A_drill_is_a_lame_duck_that_comes_back_and_nothing_else()
    {
        var time = new ManualTime();
        await using var app = await TestApp.StartAsync(
            options => options.OnStopping("never", Long, (_, _) => throw new InvalidOperationException("a drill runs no hook")).TimeProvider = time,
            map: app => app.MapGracefulHealth());
        using var client = await RawClient.ConnectAsync(app.Port);
        Assert.Equal(200, (await client.GetAsync("/")).Status);
        var drill = app.Graceful.DrillAsync(TimeSpan.FromMinutes(1));
        await app.UntilTellingAsync("Drilling");
        Assert.Equal(503, await ReadyAsync(app));
        Assert.False(await app.Graceful.DrillAsync(Long).Soon());
        Assert.True((await client.GetAsync("/")).IsTold);
        using var newcomer = await RawClient.ConnectAsync(app.Port);
        Assert.True((await newcomer.GetAsync("/")).IsTold);
        Assert.False(app.Graceful.IsStopping);
        Assert.False(app.Graceful.Stopping.IsCancellationRequested);

        Assert.False(drill.IsCompleted);
        time.Advance(TimeSpan.FromMinutes(1));
        Assert.True(await drill.Soon());
        Assert.Equal(200, await ReadyAsync(app));
        using var next = await RawClient.ConnectAsync(app.Port);
        Assert.False((await next.GetAsync("/")).IsTold);
        Assert.False((await next.GetAsync("/")).IsTold);
    }

    [Fact]
    public async Task A_drill_ends_early_when_it_is_undone_or_a_stop_comes()
    {
        await using var app = await TestApp.StartAsync(options => (options.LameDuck, options.GracePeriod) = (TimeSpan.FromMinutes(1), Long));
        var first = app.Graceful.DrillAsync();
        await app.UntilTellingAsync("Drilling");
        Assert.True(await app.Graceful.ResumeAsync().Soon());
        Assert.True(await first.Soon());
        var second = app.Graceful.DrillAsync();
        await Limits.Until(() => !app.Engine.IsReady, "the second drill began");
        app.Graceful.Close();
        Assert.False(await second.Soon());
        Assert.False(await app.Graceful.DrillAsync().Soon());
        app.Engine.Post(Event.NewForceRequested(ForceCause.StopNow));
        await app.ReportAsync();
    }

    [Fact]
    public async Task A_drill_without_a_duration_says_what_it_lacks()
    {
        await using var app = await TestApp.StartAsync();
        var error = await Assert.ThrowsAsync<InvalidOperationException>(() => app.Graceful.DrillAsync());
        Assert.Contains("LameDuck is zero", error.Message, StringComparison.Ordinal);
        await Assert.ThrowsAsync<ArgumentOutOfRangeException>(() => app.Graceful.DrillAsync(TimeSpan.Zero));
        await Assert.ThrowsAsync<ArgumentOutOfRangeException>(() => app.Graceful.DrillAsync(TimeSpan.FromHours(1) + TimeSpan.FromTicks(1)));
    }

    [Fact]
    public async Task A_stop_by_the_application_may_be_prevented_and_nothing_is_to_be_seen_of_it()
    {
        string? why = "a migration runs";
        StopReason? asked = null;
        await using var app = await TestApp.StartAsync(options => options
            .Prevent("broken", _ => throw new InvalidOperationException("as planned"))
            .Prevent("migration", reason =>
            {
                asked = reason;
                return why;
            }));
        Assert.False(app.Graceful.Close("the admin page"));
        Assert.False(await app.Graceful.CloseAsync(TestContext.Current.CancellationToken).Soon());
        Assert.False(app.Graceful.IsStopping);
        Assert.False(app.Graceful.Stopping.IsCancellationRequested);
        Assert.Equal(StopCause.Requested, asked?.Cause);
        await app.Log.Until("is prevented by 'migration': a migration runs");
        await app.Log.Until("'broken', which may prevent stops, failed");
        using var client = await RawClient.ConnectAsync(app.Port);
        Assert.Equal(HttpStatusCode.OK, (HttpStatusCode)(await client.GetAsync("/")).Status);
        why = null;
        Assert.True(app.Graceful.Close());
        Assert.Equal(0, (await app.ReportAsync()).ExitCode);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_stop_at_once_aborts_what_is_in_flight_and_runs_the_hooks_after_the_drain(bool isUnderWay)
    {
        var ran = false;
        await using var app = await TestApp.StartAsync(options => options.OnDrained("flush", Long, (_, _) => ran = true));
        using var client = await RawClient.ConnectAsync(app.Port);
        await client.SendGetAsync("/door");
        await app.Door.Reached();
        if (isUnderWay)
        {
            await app.BeginDrainAsync();
        }

        Assert.Equal(!isUnderWay, app.Graceful.CloseNow("the admin page"));
        var report = await app.ReportAsync();
        Assert.Equal((3, 1L, true), (report.ExitCode, report.ConnectionsAborted, ran));
        Assert.Equal(isUnderWay ? null : "the admin page", report.Reason.Who);
        Assert.Equal(Ending.Reset, await client.EndAsync());
        Assert.False(app.Graceful.CloseNow());
        Assert.Throws<ArgumentException>(() => app.Graceful.CloseNow(" "));
    }

    [Fact]
    public async Task A_stop_at_once_may_be_prevented_too()
    {
        await using var app = await TestApp.StartAsync(options => options.Prevent("migration", _ => "a migration runs"));
        Assert.False(app.Graceful.CloseNow());
        Assert.False(app.Graceful.IsStopping);
        Assert.Equal(200, await StatusAsync(app, "/"));
    }

    [Fact]
    public async Task Nobody_prevents_what_is_not_the_applications_wish()
    {
        var asked = 0;
        await using var app = await TestApp.StartAsync(options => options.Prevent("migration", _ =>
        {
            asked++;
            return "never";
        }));
        app.Engine.Stop(Trigger.NewSignal(15));
        Assert.Equal(0, (await app.ReportAsync()).ExitCode);
        Assert.False(app.Graceful.Close());
        Assert.Equal(0, asked);
    }

    private static Task<int> ReadyAsync(TestApp app) => StatusAsync(app, "/health/ready");

    private static async Task<int> StatusAsync(TestApp app, string path)
    {
        using var client = await RawClient.ConnectAsync(app.Port);
        return (await client.GetAsync(path)).Status;
    }
}
