using Graceful.Tests.Support;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;

namespace Graceful.Tests.Stops;

public sealed class Triggers
{
    [Fact]
    public async Task CloseAsync_is_true_for_the_first_caller_only_and_all_join_the_same_end()
    {
        await using var app = await TestApp.StartAsync();
        using var client = await RawClient.ConnectAsync(app.Port);
        await client.SendGetAsync("/door");
        await app.Door.Reached();
        var callers = await Task.WhenAll(Enumerable.Range(0, 20).Select(_ => Task.Run(() => (Call: app.Graceful.CloseAsync(), Done: false))));
        await app.Log.Until("to Draining after");
        Assert.All(callers, caller => Assert.False(caller.Call.IsCompleted));
        app.Door.Open();
        var firsts = await Task.WhenAll(callers.Select(caller => caller.Call)).Soon();
        Assert.Single(firsts, first => first);
        Assert.True(app.Graceful.Completion.IsCompletedSuccessfully);
        Assert.False(await app.Graceful.CloseAsync().Soon());
        Assert.False(app.Graceful.Close());
    }

    [Fact]
    public async Task CloseAsync_gives_up_waiting_when_its_token_fires_and_the_way_out_goes_on()
    {
        await using var app = await TestApp.StartAsync();
        using var client = await RawClient.ConnectAsync(app.Port);
        await client.SendGetAsync("/door");
        await app.Door.Reached();
        using var patience = new CancellationTokenSource();
        var closing = app.Graceful.CloseAsync(patience.Token);
        await patience.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => closing.Soon());
        app.Door.Open();
        Assert.Equal("ok, at last", (await client.ReadAsync()).Text);
        Assert.Equal(0, (await app.ReportAsync()).ExitCode);
    }

    [Fact]
    public async Task Close_ends_the_application_that_runs()
    {
        await using var app = TestApp.Make();
        var running = app.Host.RunAsync();
        await Limits.Until(() => app.Lifetime.ApplicationStarted.IsCancellationRequested, "it started");
        var completion = app.Graceful.Completion;
        Assert.True(app.Graceful.Close());
        await running.Soon("The end of RunAsync");
        Assert.Equal(new StopReason(StopCause.Requested), (await completion).Reason);
    }

    [Fact]
    public async Task StopApplication_drains_and_ends_the_application_that_runs()
    {
        await using var app = TestApp.Make();
        var running = app.Host.RunAsync();
        await Limits.Until(() => app.Lifetime.ApplicationStarted.IsCancellationRequested, "it started");
        var completion = app.Graceful.Completion;
        using var client = await RawClient.ConnectAsync(app.Port);
        await client.SendGetAsync("/door");
        await app.Door.Reached();
        app.Lifetime.StopApplication();
        await app.Log.Until("to Draining after");
        app.Door.Open();
        Assert.Equal("ok, at last", (await client.ReadAsync()).Text);
        await running.Soon("The end of RunAsync");
        Assert.Equal(new StopReason(StopCause.HostStopped), (await completion).Reason);
    }

    [Fact]
    public async Task StopAsync_of_the_host_drains()
    {
        await using var app = await TestApp.StartAsync();
        using var client = await RawClient.ConnectAsync(app.Port);
        await client.SendGetAsync("/door");
        await app.Door.Reached();
        var stop = app.Host.StopAsync();
        await app.Log.Until("to Draining after");
        app.Door.Open();
        Assert.Equal("ok, at last", (await client.ReadAsync()).Text);
        await stop.Soon();
        Assert.Equal((0, StopCause.HostStopped), ((await app.Graceful.Completion).ExitCode, (await app.Graceful.Completion).Reason.Cause));
    }

    [Fact]
    public async Task StopAsync_and_then_WaitForShutdownAsync_stop_twice_and_end_once()
    {
        await using var app = await TestApp.StartAsync();
        using var client = await RawClient.IdleAsync(app.Port);
        await app.Host.StopAsync().Soon();
        var report = await app.Graceful.Completion;
        await app.Host.WaitForShutdownAsync().Soon();
        Assert.Same(report, await app.Graceful.Completion);
        Assert.Single(app.Log.OfGraceful, entry => entry.Text.StartsWith("Left after", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Everybody_at_once_makes_one_stop()
    {
        await using var app = await TestApp.StartAsync();
        using var client = await RawClient.IdleAsync(app.Port);
        await Task.WhenAll(
            Task.Run(() => app.Host.StopAsync()),
            Task.Run(() => app.Graceful.CloseAsync()),
            Task.Run(() => app.Lifetime.StopApplication()),
            Task.Run(() => app.Host.StopAsync()),
            Task.Run(() => app.Graceful.Close())).Soon();
        Assert.Equal(Ending.Fin, await client.EndAsync());
        Assert.Single(app.Log.OfGraceful, entry => entry.Text.StartsWith("Left after", StringComparison.Ordinal));
        Assert.Equal(0, (await app.Graceful.Completion).ExitCode);
    }

    [Fact]
    public async Task A_token_that_fires_in_StopAsync_forces_with_exit_code_2()
    {
        await using var app = await TestApp.StartAsync();
        using var client = await RawClient.ConnectAsync(app.Port);
        await client.SendGetAsync("/door");
        await app.Door.Reached();
        using var patience = new CancellationTokenSource();
        var stop = app.Host.StopAsync(patience.Token);
        await app.Log.Until("to Draining after");
        await patience.CancelAsync();
        Assert.Equal(Ending.Reset, await client.EndAsync());
        var report = await app.ReportAsync();
        await Record.ExceptionAsync(() => stop.Soon("The stop"));
        Assert.Equal(2, report.ExitCode);
        Assert.Equal(["forced: the host's time was over"], report.Troubles);
        Assert.Equal("/door", Assert.Single(report.CutOff).Path);
    }

    [Fact]
    public async Task A_token_that_has_fired_before_StopAsync_forces_at_once()
    {
        await using var app = await TestApp.StartAsync();
        using var client = await RawClient.IdleAsync(app.Port);
        await Record.ExceptionAsync(() => app.Host.StopAsync(new CancellationToken(canceled: true)).Soon("The stop"));
        Assert.Equal(2, (await app.ReportAsync()).ExitCode);
        await client.ReadToEndAsync();
    }

    [Fact]
    public async Task A_request_may_close_the_server_and_is_answered()
    {
        await using var app = await TestApp.StartAsync(map: more => Microsoft.AspNetCore.Builder.EndpointRouteBuilderExtensions.MapGet(
            more, "/close", (IGraceful graceful) => graceful.Close() ? "bye" : "already"));
        using var client = await RawClient.ConnectAsync(app.Port);
        var response = await client.GetAsync("/close");
        Assert.Equal("bye", response.Text);
        Assert.Equal(Ending.Fin, await client.EndAsync());
        Assert.Equal(0, (await app.ReportAsync()).ExitCode);
    }

    [Theory]
    [InlineData(10, 5, 15)]
    [InlineData(-1, 5, -1)]
    [InlineData(10, -1, -1)]
    public async Task The_hosts_shutdown_timeout_never_cuts_ours_short(int grace, int host, int expected)
    {
        await using var app = TestApp.Make(
            options => options.GracePeriod = Seconds(grace),
            build: builder => builder.Services.Configure<HostOptions>(options => options.ShutdownTimeout = Seconds(host)));
        Assert.Equal(Seconds(expected), app.Services.GetRequiredService<IOptions<HostOptions>>().Value.ShutdownTimeout);
    }

    [Fact]
    public async Task The_hosts_shutdown_timeout_leaves_room_for_the_hooks_after_the_drain()
    {
        await using var app = TestApp.Make(
            options => options
                .OnStopping("counts in the grace period", Seconds(100), (_, _) => Task.CompletedTask)
                .OnDrained("comes after it", Seconds(7), (_, _) => Task.CompletedTask)
                .GracePeriod = Seconds(10),
            build: builder => builder.Services.Configure<HostOptions>(options => options.ShutdownTimeout = Seconds(5)));
        Assert.Equal(Seconds(22), app.Services.GetRequiredService<IOptions<HostOptions>>().Value.ShutdownTimeout);
    }

    private static TimeSpan Seconds(int seconds) => seconds < 0 ? Timeout.InfiniteTimeSpan : TimeSpan.FromSeconds(seconds);
}
