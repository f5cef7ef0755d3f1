using System.Collections.Concurrent;
using Graceful.Core;
using Graceful.Tests.Support;
using Microsoft.Extensions.Hosting;

namespace Graceful.Tests.Hooks;

public sealed class HookOrder
{
    [Fact]
    public async Task They_run_in_order_with_the_reason_and_around_the_drain()
    {
        var seen = new ConcurrentQueue<string>();
        await using var app = await TestApp.StartAsync(options =>
        {
            options.OnDrained("last", Limit, Note("last"));
            options.OnStopping("first", Limit, Note("first"));
            options.OnStopping("second", Limit, Note("second"));
            options.OnDrained("very last", Limit, Note("very last"));
        });
        using var client = await RawClient.ConnectAsync(app.Port);
        await client.SendGetAsync("/door");
        await app.Door.Reached();
        await app.BeginDrainAsync();
        Assert.Equal(["first: Requested", "second: Requested"], seen);
        app.Door.Open();
        var report = await app.ReportAsync();
        Assert.Equal(["first: Requested", "second: Requested", "last: Requested", "very last: Requested"], seen);
        Assert.Equal(0, report.ExitCode);
        Assert.All(report.Hooks, hook => Assert.Equal("succeeded", hook.Outcome));
        Assert.Equal(["first", "second", "last", "very last"], report.Hooks.Select(hook => hook.Name));

        Func<StopReason, CancellationToken, Task> Note(string name) => async (reason, _) =>
        {
            await Task.Yield();
            seen.Enqueue($"{name}: {reason.Cause}");
        };
    }

    [Fact]
    public async Task While_a_hook_before_the_drain_runs_everything_still_works()
    {
        var door = new Door();
        await using var app = await TestApp.StartAsync(options => options.OnStopping("deregister", Limit, (_, _) => door.PassAsync()));
        app.Graceful.Close();
        await door.Reached();
        using var client = await RawClient.ConnectAsync(app.Port);
        Assert.Equal(200, (await client.GetAsync("/")).Status);
        door.Open();
        Assert.Equal(0, (await app.ReportAsync()).ExitCode);
    }

    [Fact]
    public async Task ApplicationStopping_has_fired_when_they_run_and_nobody_can_undo_the_stop()
    {
        for (var i = 0; i < 20; i++)
        {
            IHostApplicationLifetime? lifetime = null;
            var fired = false;
            await using var app = await TestApp.StartAsync(options => options.OnStopping("look", Limit, (_, _) =>
            {
                fired = lifetime!.ApplicationStopping.IsCancellationRequested;
                return Task.CompletedTask;
            }));
            lifetime = app.Lifetime;
            app.Engine.Stop(Trigger.NewSignal(15));
            await app.ReportAsync();
            Assert.True(fired, $"It had not, at attempt {i}.");
        }
    }

    [Fact]
    public async Task Services_live_while_hooks_after_the_drain_run()
    {
        IServiceProvider? services = null;
        await using var app = await TestApp.StartAsync(options => options.OnDrained("flush", Limit, (_, _) =>
        {
            Assert.NotNull(services!.GetService(typeof(IHostApplicationLifetime)));
            return Task.CompletedTask;
        }));
        services = app.Services;
        await app.Host.StopAsync().Soon();
        Assert.Equal(0, (await app.ReportAsync()).ExitCode);
    }

    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(30);
}
