using Graceful.Tests.Support;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace Graceful.Tests.Stops;

/// <summary>A component that fails is a reason to leave in order, with a code that tells.</summary>
public sealed class Failures
{
    [Fact]
    public async Task A_background_service_that_faults_stops_the_server_with_code_1()
    {
        var fails = new TaskCompletionSource();
        await using var app = await TestApp.StartAsync(
            build: builder => builder.Services.AddSingleton<IHostedService>(_ => new Worker(fails.Task)));
        using var client = await RawClient.ConnectAsync(app.Port);
        await client.SendGetAsync("/door");
        await app.Door.Reached();
        fails.SetException(new InvalidOperationException("queue lost"));
        await app.Log.Until("to Draining after");
        app.Door.Open();
        Assert.Equal(200, (await client.ReadAsync()).Status);
        var report = await app.ReportAsync();
        Assert.Equal(1, report.ExitCode);
        Assert.Contains("Worker failed: InvalidOperationException: queue lost", report.Troubles);
    }

    [Fact]
    public async Task Not_even_a_callback_that_blocks_the_hosts_news_hides_it()
    {
        var fails = new TaskCompletionSource();
        using var open = new ManualResetEventSlim();
        await using var app = await TestApp.StartAsync(
            options => options.SettleTime = TimeSpan.Zero,
            build: builder => builder.Services.AddSingleton<IHostedService>(_ => new Worker(fails.Task)));
        var blocked = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        app.Lifetime.ApplicationStopping.Register(() =>
        {
            blocked.SetResult();
            open.Wait(Limits.Hang);
        });
        var failing = Task.Run(() => fails.SetException(new InvalidOperationException("queue lost")), TestContext.Current.CancellationToken);
        await blocked.Task.Soon("The host's news");
        var stop = app.Host.StopAsync(TestContext.Current.CancellationToken);
        var report = await app.ReportAsync();
        open.Set();
        await Task.WhenAll(failing, stop).Soon("The stop of the host");
        Assert.Equal(1, report.ExitCode);
        Assert.Contains("Worker failed: InvalidOperationException: queue lost", report.Troubles);
    }

    [Fact]
    public async Task A_background_service_whose_errors_the_host_ignores_stops_nobody()
    {
        var fails = new TaskCompletionSource();
        await using var app = await TestApp.StartAsync(build: builder =>
        {
            builder.Services.AddSingleton<IHostedService>(_ => new Worker(fails.Task));
            builder.Services.Configure<HostOptions>(host => host.BackgroundServiceExceptionBehavior = BackgroundServiceExceptionBehavior.Ignore);
        });
        fails.SetException(new InvalidOperationException("queue lost"));
        await app.Log.Until("BackgroundService failed");
        Assert.False(app.Graceful.IsStopping);
        Assert.Equal(0, (await app.LeaveAsync()).ExitCode);
    }

    [Fact]
    public async Task A_background_service_that_dies_of_a_cancellation_nobody_asked_for_has_failed()
    {
        var dies = new TaskCompletionSource();
        await using var app = await TestApp.StartAsync(
            build: builder => builder.Services.AddSingleton<IHostedService>(_ => new Worker(dies.Task)));
        dies.SetCanceled(new CancellationToken(canceled: true));
        var report = await app.ReportAsync();
        Assert.Equal(1, report.ExitCode);
        Assert.Contains(report.Troubles, trouble => trouble.StartsWith("Worker failed: TaskCanceledException", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_guarded_component_that_faults_is_the_reason()
    {
        await using var app = await TestApp.StartAsync();
        var component = new TaskCompletionSource();
        app.Graceful.Guard("the queue", component.Task);
        component.SetException(new IOException("connection lost"));
        var report = await app.ReportAsync();
        Assert.Equal((StopCause.ComponentFailed, "the queue", 1), (report.Reason.Cause, report.Reason.Who, report.ExitCode));
        Assert.StartsWith("Left after failure of the queue in ", report.ToString(), StringComparison.Ordinal);
        Assert.Contains("trouble             the queue failed: IOException: connection lost", report.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task One_that_fails_on_the_way_out_makes_the_code_tell()
    {
        await using var app = await TestApp.StartAsync();
        var component = new TaskCompletionSource();
        app.Graceful.Guard("the queue", component.Task);
        using (app.Graceful.Begin("work"))
        {
            await app.BeginDrainAsync();
            component.SetException(new IOException("connection lost"));
        }

        var report = await app.ReportAsync();
        Assert.Equal((StopCause.Requested, 1), (report.Reason.Cause, report.ExitCode));
    }

    [Fact]
    public async Task One_that_ends_or_is_cancelled_is_no_failure()
    {
        await using var app = await TestApp.StartAsync();
        app.Graceful.Guard("done", Task.CompletedTask);
        app.Graceful.Guard("cancelled", Task.FromCanceled(new CancellationToken(canceled: true)));
        await Quiet.LessAsync();
        Assert.False(app.Graceful.IsStopping);
        Assert.ThrowsAny<ArgumentException>(() => app.Graceful.Guard(" ", Task.CompletedTask));
        Assert.Throws<ArgumentNullException>(() => app.Graceful.Guard("nothing", null!));
        Assert.Equal(0, (await app.LeaveAsync()).ExitCode);
    }

    private sealed class Worker(Task work) : BackgroundService
    {
        protected override Task ExecuteAsync(CancellationToken stoppingToken) => work;
    }
}
