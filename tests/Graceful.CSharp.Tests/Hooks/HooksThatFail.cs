using Graceful.Tests.Support;

namespace Graceful.Tests.Hooks;

public sealed class HooksThatFail
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan ShortLimit = TimeSpan.FromMilliseconds(400);

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task One_that_throws_is_reported_the_next_one_runs_and_the_exit_code_is_1(bool afterDrain)
    {
        var ran = false;
        await using var app = await TestApp.StartAsync(options =>
        {
            Add(options, afterDrain, "bad", Limit, async (_, _) =>
            {
                await Task.Yield();
                throw new InvalidOperationException("disk full");
            });
            Add(options, afterDrain, "good", Limit, (_, _) =>
            {
                ran = true;
                return Task.CompletedTask;
            });
        });
        var report = await app.LeaveAsync();
        Assert.True(ran);
        Assert.Equal(1, report.ExitCode);
        Assert.Equal(
            [("bad", "failed (InvalidOperationException: disk full)"), ("good", "succeeded")],
            report.Hooks.Select(hook => (hook.Name, hook.Outcome)));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task One_that_throws_before_it_gives_a_task_is_the_same(bool afterDrain)
    {
        await using var app = await TestApp.StartAsync(options =>
            Add(options, afterDrain, "bad", Limit, (_, _) => throw new InvalidOperationException("disk full")));
        var report = await app.LeaveAsync();
        Assert.Equal(1, report.ExitCode);
        Assert.Equal("failed (InvalidOperationException: disk full)", Assert.Single(report.Hooks).Outcome);
    }

    [Fact]
    public async Task One_that_gives_no_task_at_all_is_the_same()
    {
        await using var app = await TestApp.StartAsync(options => options.OnStopping("bad", Limit, (_, _) => null!));
        var report = await app.LeaveAsync();
        Assert.Equal(1, report.ExitCode);
        Assert.StartsWith("failed", Assert.Single(report.Hooks).Outcome, StringComparison.Ordinal);
    }

    [Fact]
    public async Task One_that_is_cancelled_by_itself_has_failed()
    {
        await using var app = await TestApp.StartAsync(options =>
            options.OnStopping("bad", Limit, (_, _) => Task.FromCanceled(new CancellationToken(canceled: true))));
        var report = await app.LeaveAsync();
        Assert.Equal(1, report.ExitCode);
        Assert.StartsWith("failed", Assert.Single(report.Hooks).Outcome, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task One_that_hangs_is_given_up_at_its_limit_its_token_fires_and_the_next_one_runs(bool afterDrain)
    {
        var fired = new TaskCompletionSource();
        await using var app = await TestApp.StartAsync(options =>
        {
            Add(options, afterDrain, "stuck", ShortLimit, async (_, token) =>
            {
                token.Register(() => fired.TrySetResult());
                await Task.Delay(Timeout.Infinite, token);
            });
            Add(options, afterDrain, "good", Limit, (_, _) => Task.CompletedTask);
        });
        var report = await app.LeaveAsync();
        await fired.Task.Soon("The token");
        Assert.Equal(1, report.ExitCode);
        Assert.Equal([("stuck", "timed out"), ("good", "succeeded")], report.Hooks.Select(hook => (hook.Name, hook.Outcome)));
        Assert.InRange(report.Hooks[0].Duration.TotalSeconds, 0.35, 5);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task One_that_ignores_its_token_and_hangs_is_given_up_all_the_same(bool afterDrain)
    {
        var door = new Door();
        await using var app = await TestApp.StartAsync(options => Add(options, afterDrain, "stuck", ShortLimit, (_, _) => door.PassAsync()));
        var report = await app.LeaveAsync();
        Assert.Equal(1, report.ExitCode);
        Assert.Equal("timed out", Assert.Single(report.Hooks).Outcome);
        Assert.InRange(report.Duration.TotalSeconds, 0.35, 5);
        await app.Host.StopAsync().Soon();
        door.Open();
    }

    [Fact]
    public async Task One_that_blocks_its_thread_is_given_up_all_the_same()
    {
        using var open = new ManualResetEventSlim();
        await using var app = await TestApp.StartAsync(options => options.OnStopping("stuck", ShortLimit, (_, _) =>
        {
            open.Wait(CancellationToken.None);
            return Task.CompletedTask;
        }));
        var report = await app.LeaveAsync();
        open.Set();
        Assert.Equal(1, report.ExitCode);
        Assert.Equal("timed out", Assert.Single(report.Hooks).Outcome);
    }

    [Fact]
    public async Task A_callback_on_its_token_that_blocks_or_throws_keeps_nobody()
    {
        using var open = new ManualResetEventSlim();
        await using var app = await TestApp.StartAsync(options => options.OnStopping("stuck", ShortLimit, async (_, token) =>
        {
            token.Register(() => throw new InvalidOperationException("as planned"));
            token.Register(() => open.Wait());
            await Task.Delay(Timeout.Infinite, token);
        }));
        var report = await app.LeaveAsync();
        open.Set();
        Assert.Equal("timed out", Assert.Single(report.Hooks).Outcome);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task One_that_awaits_CloseAsync_does_not_wait_for_itself(bool afterDrain)
    {
        IGraceful? graceful = null;
        var first = true;
        await using var app = await TestApp.StartAsync(options => Add(options, afterDrain, "curious", Limit, async (_, _) =>
        {
            await Task.Yield();
            first = await graceful!.CloseAsync(CancellationToken.None);
        }));
        graceful = app.Graceful;
        var report = await app.LeaveAsync();
        Assert.False(first);
        Assert.Equal("succeeded", Assert.Single(report.Hooks).Outcome);
        Assert.InRange(report.Duration.TotalSeconds, 0, 5);
    }

    [Fact]
    public async Task One_after_the_drain_runs_after_a_forced_stop_too_and_one_before_it_is_cancelled_or_skipped()
    {
        var cancelled = new TaskCompletionSource();
        await using var app = await TestApp.StartAsync(options =>
        {
            options.GracePeriod = TimeSpan.FromMilliseconds(500);
            options.OnStopping("stuck", Limit, async (_, token) =>
            {
                token.Register(() => cancelled.TrySetResult());
                await Task.Delay(Timeout.Infinite, token);
            });
            options.OnStopping("never", Limit, (_, _) => Task.CompletedTask);
            options.OnDrained("flush", Limit, (_, _) => Task.CompletedTask);
        });
        using var client = await RawClient.ConnectAsync(app.Port);
        await client.SendGetAsync("/door");
        await app.Door.Reached();
        var report = await app.LeaveAsync();
        await cancelled.Task.Soon("The token");
        Assert.Equal(2, report.ExitCode);
        Assert.Equal(
            [("stuck", "cancelled"), ("never", "skipped"), ("flush", "succeeded")],
            report.Hooks.Select(hook => (hook.Name, hook.Outcome)));
        Assert.Equal(Ending.Reset, await client.EndAsync());
    }

    [Fact]
    public async Task One_that_stops_the_host_and_waits_does_not_wait_for_itself_longer_than_its_limit()
    {
        HostOf? host = null;
        await using var app = await TestApp.StartAsync(options =>
            options.OnStopping("confused", TimeSpan.FromSeconds(1), (_, _) => host!.StopAsync()));
        host = new HostOf(app);
        var report = await app.LeaveAsync();
        Assert.InRange(report.Duration.TotalSeconds, 0, 5);
        Assert.True(report.ExitCode is 0 or 1);
    }

    private static void Add(
        GracefulOptions options, bool afterDrain, string name, TimeSpan limit, Func<StopReason, CancellationToken, Task> hook) =>
        _ = afterDrain ? options.OnDrained(name, limit, hook) : options.OnStopping(name, limit, hook);

    private sealed record HostOf(TestApp App)
    {
        public Task StopAsync() => App.Host.StopAsync();
    }
}
