using Graceful.Tests.Support;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.TestHost;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Graceful.Tests.Stops;

/// <summary>Callbacks of the user's that block must not hold the engine, or no grace period and no signal ends it.</summary>
public sealed class UsersCallbacks : IDisposable
{
    private readonly ManualResetEventSlim _open = new();

    public void Dispose() => _open.Dispose();

    [Fact]
    public async Task One_on_the_connections_wish_to_close_blocks_only_itself()
    {
        await using var app = await TestApp.StartAsync(map: more => more.MapGet("/register", (HttpContext context) =>
        {
            context.Features.Get<IConnectionLifetimeNotificationFeature>()!.ConnectionClosedRequested.Register(() => _open.Wait(Limits.Hang));
        }));
        using var client = await RawClient.ConnectAsync(app.Port);
        Assert.Equal(200, (await client.GetAsync("/register")).Status);
        using var other = await RawClient.IdleAsync(app.Port);
        app.Graceful.Close();
        Assert.Equal(Ending.Fin, await other.EndAsync());
        _open.Set();
        Assert.Equal(0, (await app.ReportAsync()).ExitCode);
    }

    [Fact]
    public async Task One_on_the_connections_wish_to_close_that_throws_is_logged_and_harms_nobody()
    {
        await using var app = await TestApp.StartAsync(map: more => more.MapGet("/register", (HttpContext context) =>
        {
            context.Features.Get<IConnectionLifetimeNotificationFeature>()!.ConnectionClosedRequested.Register(
                () => throw new InvalidOperationException("as planned"));
        }));
        var clients = await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => RawClient.ConnectAsync(app.Port)));
        foreach (var client in clients)
        {
            Assert.Equal(200, (await client.GetAsync("/register")).Status);
        }

        var report = await app.LeaveAsync();
        Assert.Equal(0, report.ExitCode);
        Assert.InRange(report.Duration.TotalSeconds, 0, 5);
        Assert.Contains(app.Log.OfGraceful, entry => entry.Level == LogLevel.Error);
        foreach (var client in clients)
        {
            Assert.Equal(Ending.Fin, await client.EndAsync());
            client.Dispose();
        }
    }

    [Fact]
    public async Task One_on_the_abort_of_a_request_blocks_only_itself()
    {
        await using var app = await TestApp.StartAsync(
            options => options.GracePeriod = TimeSpan.FromMilliseconds(500),
            map: more => more.MapGet("/register", async (CancellationToken aborted) =>
            {
                aborted.Register(() => _open.Wait(Limits.Hang));
                await Task.Delay(Timeout.Infinite, aborted);
            }));
        using var client = await RawClient.ConnectAsync(app.Port);
        await client.SendGetAsync("/register");
        await app.Log.Until("Executing endpoint");
        var clock = System.Diagnostics.Stopwatch.StartNew();
        var report = await app.LeaveAsync();
        Assert.InRange(clock.Elapsed.TotalSeconds, 0, 8);
        _open.Set();
        Assert.Equal(2, report.ExitCode);
    }

    [Fact]
    public async Task One_on_the_abort_of_a_request_to_a_TestServer_blocks_only_itself()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseTestServer();
        builder.AddGraceful(options => options.GracePeriod = TimeSpan.FromMilliseconds(500));
        var app = builder.Build();
        var door = new Door();
        app.MapGet("/register", async (CancellationToken aborted) =>
        {
            aborted.Register(() => _open.Wait(Limits.Hang));
            await door.PassAsync();
        });
        await app.StartAsync().Soon();
        await using var _ = app;
        var request = app.GetTestClient().GetAsync(new Uri("/register", UriKind.Relative));
        await door.Reached();
        var clock = System.Diagnostics.Stopwatch.StartNew();
        var graceful = app.Services.GetRequiredService<IGraceful>();
        graceful.Close();
        var report = await graceful.Completion.Soon("The end of the way out");
        Assert.InRange(clock.Elapsed.TotalSeconds, 0, 8);
        _open.Set();
        door.Open();
        await Record.ExceptionAsync(() => request.Soon());
        Assert.Equal(2, report.ExitCode);
    }

    [Fact]
    public async Task One_on_Stopping_that_throws_harms_nothing()
    {
        await using var app = await TestApp.StartAsync();
        app.Graceful.Stopping.Register(() => throw new InvalidOperationException("as planned"));
        var fired = false;
        app.Graceful.Stopping.Register(() => fired = true);
        await app.Host.StopAsync().Soon();
        Assert.True(fired);
        Assert.Equal(0, (await app.ReportAsync()).ExitCode);
    }
}
