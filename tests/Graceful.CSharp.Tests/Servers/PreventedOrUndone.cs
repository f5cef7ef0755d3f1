using Graceful.Tests.Support;

namespace Graceful.Tests.Servers;

/// <summary>
/// What the options and the way out say of a stop holds for a server that is closed too. A host calls what configures it more than
/// once, and the first time before it can be asked.
/// </summary>
public sealed class PreventedOrUndone
{
    [Fact]
    public async Task A_close_that_is_prevented_is_none_and_a_disposal_can_not_be_prevented()
    {
        var asked = new List<string>();
        var server = new GracefulServer(Serving.Loopback, Serving.Ok).Configure(options => options.Prevent("migration", reason =>
        {
            asked.Add(reason.ToString());
            return "it runs";
        }));
        await using var serving = await Serving.StartAsync(server, server.ListenAndServeAsync(TestContext.Current.CancellationToken));
        Assert.False(server.Close());
        Assert.False(server.Close("a test"));
        Assert.False(await server.CloseAsync(TestContext.Current.CancellationToken).Soon());
        Assert.False(await server.CloseAsync("a page", TestContext.Current.CancellationToken).Soon());
        Assert.Equal(["request of the application", "request of a test", "request of the application", "request of a page"], asked);
        using var client = await RawClient.IdleAsync(serving.Port);
        Assert.False((await server.Started).IsStopping);

        await server.DisposeAsync().AsTask().Soon();
        Assert.True(serving.Report.IsCompleted);
        var report = await serving.Report;
        Assert.Equal((0, StopCause.HostStopped), (report.ExitCode, report.Reason.Cause));
        Assert.Equal(4, asked.Count);
    }

    [Fact]
    public async Task A_token_fires_once_so_nothing_prevents_what_it_wants()
    {
        using var stop = new CancellationTokenSource();
        var server = new GracefulServer(Serving.Loopback, Serving.Ok).Configure(options => options.Prevent("migration", _ => "it runs"));
        await using var serving = await Serving.StartAsync(server, server.ListenAndServeAsync(stop.Token));
        await stop.CancelAsync();
        Assert.Equal(StopCause.HostStopped, (await serving.Report.Soon()).Reason.Cause);
    }

    [Fact]
    public async Task A_close_that_is_undone_was_none_and_the_next_is_one()
    {
        var hook = new FirstRun();
        await using var serving = await Serving.StartAsync(with: hook.AddTo);
        var closings = new[] { serving.Server.CloseAsync("a page", TestContext.Current.CancellationToken), serving.Server.CloseAsync(TestContext.Current.CancellationToken) };
        await hook.Begun.Soon();
        var graceful = await serving.Server.Started;
        Assert.Equal("a page", graceful.StopReason?.Who);
        Assert.True(await graceful.ResumeAsync().Soon());
        var closed = await Task.WhenAll(closings).Soon();
        Assert.DoesNotContain(true, closed);
        using var client = await RawClient.IdleAsync(serving.Port);
        Assert.True(await serving.Server.CloseAsync("another page", TestContext.Current.CancellationToken).Soon());
        Assert.True(serving.Report.IsCompleted);
        Assert.Equal("another page", serving.Server.Reason?.Who);
    }

    [Fact]
    public async Task Closed_before_it_serves_it_may_be_undone_and_closed_again()
    {
        var hook = new FirstRun();
        var server = new GracefulServer(Serving.Loopback, Serving.Ok);
        hook.AddTo(server);
        Assert.True(server.Close("an early bird"));
        await using var serving = await Serving.StartAsync(server);
        await hook.Begun.Soon();
        Assert.False(server.Close());
        Assert.True(await (await server.Started).ResumeAsync().Soon());
        Assert.True(server.Close("a late one"));
        Assert.Equal("a late one", (await serving.Report.Soon()).Reason.Who);
    }

    [Fact]
    public async Task Closed_while_its_host_is_built_whoever_waits_hears_what_became_of_it()
    {
        Task<bool>? closing = null;
        Task<bool>? joining = null;
        var prevent = true;
        var hook = new FirstRun();
        GracefulServer? server = null;
        server = new GracefulServer(Serving.Loopback, Serving.Ok).Configure(options =>
        {
            closing ??= server!.CloseAsync(TestContext.Current.CancellationToken);
            joining ??= server!.CloseAsync(TestContext.Current.CancellationToken);
            options.Prevent("migration", _ => prevent ? "it runs" : null);
        });
        hook.AddTo(server);
        await using (var serving = await Serving.StartAsync(server))
        {
            Assert.Equal((false, false), (await closing!.Soon(), await joining!.Soon()));
            prevent = false;
            Assert.True(server.Close());
            await hook.Begun.Soon();
            Assert.True(await (await server.Started).ResumeAsync().Soon());
            Assert.True(server.Close());
            await serving.Report.Soon();

            // The hook does not wait any more, so this is an end.
            (closing, joining) = (null, null);
            Assert.Equal(0, (await server.ListenAndServeAsync().Soon()).ExitCode);
            Assert.Equal((true, false), (await closing!.Soon(), await joining!.Soon()));
        }
    }

    [Fact]
    public async Task Closed_while_its_host_is_built_and_undone_is_not_closed()
    {
        Task<bool>? closing = null;
        GracefulServer? server = null;
        var hook = new FirstRun();
        server = new GracefulServer(Serving.Loopback, Serving.Ok).Configure(_ => closing ??= server!.CloseAsync(TestContext.Current.CancellationToken));
        hook.AddTo(server);
        await using var serving = await Serving.StartAsync(server);
        await hook.Begun.Soon();
        Assert.True(await (await server.Started).ResumeAsync().Soon());
        Assert.False(await closing!.Soon());
        await serving.CloseAsync();
    }

    [Fact]
    public async Task Whoever_closes_what_can_not_start_does_not_wait_for_ever()
    {
        await using var first = await Serving.StartAsync();
        Task<bool>? closing = null;
        GracefulServer? server = null;
        server = new GracefulServer($"127.0.0.1:{first.Port}", Serving.Ok).Configure(_ => closing ??= server!.CloseAsync(TestContext.Current.CancellationToken));
        await Assert.ThrowsAsync<IOException>(() => server.ListenAndServeAsync().Soon());
        Assert.False(await closing!.Soon());
        closing = null;
        server.Configure(_ => throw new InvalidOperationException("as planned"));
        await Assert.ThrowsAsync<InvalidOperationException>(() => server.ListenAndServeAsync().Soon());
        Assert.False(await closing!.Soon());
    }

    [Fact]
    public async Task A_disposal_is_not_undone()
    {
        var hook = new FirstRun();
        await using var serving = await Serving.StartAsync(with: hook.AddTo);
        Assert.True(serving.Server.Close());
        await hook.Begun.Soon();
        var disposal = serving.Server.DisposeAsync().AsTask();
        Assert.False(await (await serving.Server.Started).ResumeAsync().Soon());
        Assert.False(disposal.IsCompleted);
        hook.GoOn();
        await disposal.Soon();
        Assert.Equal((0, StopCause.Requested), ((await serving.Report.Soon()).ExitCode, serving.Server.Reason?.Cause));
    }

    [Fact]
    public async Task Disposed_while_its_host_is_built_it_ends_whoever_prevents_that()
    {
        Task? disposal = null;
        GracefulServer? server = null;
        server = new GracefulServer(Serving.Loopback, Serving.Ok).Configure(options =>
        {
            disposal ??= server!.DisposeAsync().AsTask();
            options.Prevent("migration", _ => "it runs");
        });
        Assert.Equal(StopCause.HostStopped, (await server.ListenAndServeAsync().Soon()).Reason.Cause);
        await disposal!.Soon();
    }

    [Fact]
    public async Task A_close_says_who_asks()
    {
        await using var serving = await Serving.StartAsync();
        await Assert.ThrowsAsync<ArgumentException>(() => serving.Server.CloseAsync(" ", TestContext.Current.CancellationToken));
        Assert.True(await serving.Server.CloseAsync("the admin page", TestContext.Current.CancellationToken).Soon());
        Assert.Equal("request of the admin page", serving.Server.Reason.ToString());
    }

    /// <summary>A hook that only its first run has to wait in.</summary>
    private sealed class FirstRun
    {
        private readonly TaskCompletionSource _begun = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private readonly TaskCompletionSource _goOn = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public Task Begun => _begun.Task;

        public void GoOn() => _goOn.TrySetResult();

        public void AddTo(GracefulServer server) => server.Configure(options => options.OnStopping(
            "deregister",
            TimeSpan.FromMinutes(1),
            (_, token) => _begun.TrySetResult() ? _goOn.Task.WaitAsync(token) : Task.CompletedTask));
    }
}
