using Graceful.Tests.Support;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Diagnostics.HealthChecks;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace Graceful.Tests.States;

public sealed class LameDucks
{
    [Fact]
    public async Task Readiness_fails_at_once_and_liveness_holds()
    {
        await using var app = await StartAsync();
        using var before = await RawClient.ConnectAsync(app.Port);
        Assert.Equal(200, (await before.GetAsync("/ready")).Status);
        await app.BeginLameDuckAsync();
        using var ready = await RawClient.ConnectAsync(app.Port);
        Assert.Equal(503, (await ready.GetAsync("/ready")).Status);
        using var live = await RawClient.ConnectAsync(app.Port);
        Assert.Equal(200, (await live.GetAsync("/live")).Status);
    }

    [Fact]
    public async Task Stopping_fires_at_once()
    {
        await using var app = await StartAsync();
        Assert.False(app.Graceful.IsStopping);
        Assert.False(app.Graceful.Stopping.IsCancellationRequested);
        Assert.True(app.Graceful.Close());
        Assert.True(app.Graceful.IsStopping);
        await Limits.Until(() => app.Graceful.Stopping.IsCancellationRequested, "Stopping fired");
        Assert.False(app.Graceful.Completion.IsCompleted);
        await Limits.Until(() => app.Lifetime.ApplicationStopping.IsCancellationRequested, "ApplicationStopping fired");
    }

    [Fact]
    public async Task Every_response_asks_its_client_to_come_back_and_it_can()
    {
        await using var app = await StartAsync();
        using var idle = await RawClient.IdleAsync(app.Port);
        await app.BeginLameDuckAsync();
        var last = await idle.GetAsync("/");
        Assert.Equal(200, last.Status);
        Assert.True(last.IsTold);
        Assert.Equal(Ending.Fin, await idle.EndAsync());
        for (var i = 0; i < 3; i++)
        {
            using var again = await RawClient.ConnectAsync(app.Port);
            var response = await again.GetAsync("/");
            Assert.Equal(200, response.Status);
            Assert.True(response.IsTold);
            Assert.Equal(Ending.Fin, await again.EndAsync());
        }

        Assert.False(app.Graceful.Completion.IsCompleted);
    }

    [Fact]
    public async Task An_idle_connection_is_left_alone_until_it_is_over()
    {
        await using var app = await StartAsync(options => options.QuietPeriod = TimeSpan.Zero);
        using var idle = await RawClient.IdleAsync(app.Port);
        await app.BeginLameDuckAsync();
        await Quiet.LessAsync();
        Assert.False(idle.HasNews);
        Assert.Equal(200, (await idle.GetAsync("/")).Status);
    }

    [Fact]
    public async Task It_is_over_in_time_and_then_the_server_leaves()
    {
        await using var app = await TestApp.StartAsync(options => options.LameDuck = TimeSpan.FromMilliseconds(600));
        var report = await app.LeaveAsync();
        Assert.Equal(0, report.ExitCode);
        var lameDuck = Assert.Single(report.Stages, stage => stage.Name == "lame duck");
        Assert.InRange(lameDuck.Duration.TotalSeconds, 0.55, 3);
    }

    // Long: the tests end by their own conditions, and the disposal of the app cuts it short.
    private static Task<TestApp> StartAsync(Action<GracefulOptions>? more = null) => TestApp.StartAsync(
        options =>
        {
            options.LameDuck = TimeSpan.FromSeconds(15);
            more?.Invoke(options);
        },
        build: builder => builder.Services.AddHealthChecks().AddCheck("self", () => HealthCheckResult.Healthy(), ["live"]),
        map: app =>
        {
            app.MapHealthChecks("/ready", new HealthCheckOptions { Predicate = check => check.Tags.Contains("ready") });
            app.MapHealthChecks("/live", new HealthCheckOptions { Predicate = check => check.Tags.Contains("live") });
        });
}
