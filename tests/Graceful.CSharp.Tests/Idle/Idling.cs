using Graceful.Core;
using Graceful.Tests.Support;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace Graceful.Tests.Idle;

/// <summary>A server that leaves when nobody needed it for ten minutes, which pass when the test says so.</summary>
internal sealed class Idling : IAsyncDisposable
{
    public static readonly TimeSpan Limit = TimeSpan.FromMinutes(10);

    private readonly ManualTime _time;

    private Idling(TestApp app, ManualTime time)
    {
        App = app;
        _time = time;
    }

    public TestApp App { get; }

    /// <summary>How long it is until the next look; null while one is taken.</summary>
    public TimeSpan? NextLook => _time.NextDue;

    /// <summary>Where <c>/probe</c> waits, whose endpoint says that it does not count.</summary>
    public Door Probe { get; private init; } = new();

    public static async Task<Idling> StartAsync(Action<GracefulOptions>? graceful = null, bool http2 = false, Action<WebApplication>? map = null)
    {
        var time = new ManualTime();
        var probe = new Door();
        var app = await TestApp.StartAsync(
            options =>
            {
                (options.TimeProvider, options.IdleLimit) = (time, Limit);
                (options.SettleTime, options.QuietPeriod) = (TimeSpan.Zero, TimeSpan.FromMilliseconds(100));
                graceful?.Invoke(options);
            },
            listen => listen.Protocols = http2 ? HttpProtocols.Http2 : HttpProtocols.Http1,
            map: app =>
            {
                app.MapGracefulHealth();
                app.MapGet("/probe", async () =>
                {
                    await probe.PassAsync();
                    return "well";
                }).WithDrain(DrainMode.NotCounted);
                map?.Invoke(app);
            });
        Assert.Equal(Limit, time.NextDue);
        return new Idling(app, time) { Probe = probe };
    }

    /// <summary>Lets time pass; when a look is due, until it is taken.</summary>
    public async Task PassAsync(TimeSpan span)
    {
        _time.Advance(span);
        await Limits.Until(() => NextLook is not null, "the look is taken, and the next one is due, or the server leaves");
    }

    /// <summary>Waits until all connections inside are of these phases: a client has its answer before the server has ended the request.</summary>
    public Task Until(params ConnectionPhase[] phases) => Limits.Until(
        () =>
        {
            var counts = App.Engine.ConnectionsByPhase();
            return counts.Sum() == phases.Length && phases.GroupBy(phase => phase).All(group => counts[(int)group.Key] == group.Count());
        },
        $"connections inside are {string.Join(", ", phases)}");

    /// <summary>It has not left, and looks again after so long.</summary>
    public void MustLookAgainIn(TimeSpan span)
    {
        Assert.Equal((span, false), (NextLook, App.Graceful.IsStopping));
        Assert.True(App.Engine.IsReady);
    }

    /// <summary>It leaves, because nobody needed it.</summary>
    public async Task<ShutdownReport> MustLeaveAsync()
    {
        Assert.True(App.Graceful.IsStopping);
        Assert.Equal(new StopReason(StopCause.Idle), App.Graceful.StopReason);
        while (!App.Graceful.Completion.IsCompleted)
        {
            // Sweeps are due by the same clock.
            _time.Advance(Connection.SweepInterval);
            await Task.Delay(1);
        }

        var report = await App.ReportAsync();
        Assert.Equal((StopCause.Idle, ShutdownOutcome.Clean, 0), (report.Reason.Cause, report.Outcome, report.ExitCode));
        return report;
    }

    public ValueTask DisposeAsync()
    {
        Probe.Open();
        return App.DisposeAsync();
    }

    private static class Connection
    {
        public static readonly TimeSpan SweepInterval = ConnectionModule.sweepInterval;
    }
}
