using System.Diagnostics.Metrics;
using Graceful.Tests.Support;
using Microsoft.Extensions.DependencyInjection;

namespace Graceful.Tests.Observed;

/// <summary>Read as an exporter reads it: through a listener of the app's own meters and activities.</summary>
public sealed class Monitoring : IDisposable
{
    private readonly MeterListener _listener = new();
    private readonly Dictionary<string, double> _seen = [];
    private object? _scope;

    public void Dispose() => _listener.Dispose();

    [Fact]
    public async Task What_is_inside_is_counted_when_somebody_asks()
    {
        await using var app = await StartAsync();
        using var unused = await RawClient.ConnectAsync(app.Port);
        using var idle = await RawClient.IdleAsync(app.Port);
        using var busy = await RawClient.ConnectAsync(app.Port);
        await busy.SendGetAsync("/door");
        await app.Door.Reached();
        await Limits.Until(
            () => Ask() is var now && now["graceful.connection.count new"] == 1 && now["graceful.connection.count idle"] == 1,
            "the silent one is inside, and the idle one has ended its request");
        using (app.Graceful.Begin("work"))
        {
            var seen = Ask();
            Assert.Equal((1, 1, 0), (seen["graceful.connection.count active"], seen["graceful.connection.count idle"], seen["graceful.connection.count hijacked"]));
            Assert.Equal((1, 1), (seen["graceful.active_requests"], seen["graceful.active_work"]));
        }

        app.Door.Open();
        await app.LeaveAsync();
        var after = Ask();
        Assert.Equal((0, 0, 0), (after["graceful.connection.count active"], after["graceful.active_requests"], after["graceful.active_work"]));
    }

    [Theory]
    [InlineData(2)]
    [InlineData(0)]
    public async Task A_way_out_has_a_duration_an_outcome_and_a_code_and_says_who_was_cut_off(int code)
    {
        await using var app = await StartAsync(options =>
        {
            options.GracePeriod = TimeSpan.FromSeconds(1);
            options.ExitCodes.TimedOut = code;
        });
        using var busy = await RawClient.ConnectAsync(app.Port);
        await busy.SendGetAsync("/door");
        await app.Door.Reached();
        await app.Host.StopAsync(TestContext.Current.CancellationToken);
        var report = await app.ReportAsync();
        var seen = Ask();
        Assert.Equal(1, seen["graceful.aborted_connections"]);
        Assert.Equal(0, seen["graceful.refused_connections"]);
        Assert.Equal(report.Duration.TotalSeconds, seen[$"graceful.drain.duration HostStopped TimedOut {code}"]);
    }

    [Fact]
    public async Task A_way_out_is_a_span_with_one_for_each_stage()
    {
        using var spans = new Spans();
        await using var app = await StartAsync(options =>
        {
            // Unlike any other server's that leaves while this test runs.
            options.LameDuck = TimeSpan.FromTicks(1_234_567);
            options.OnStopping("hook", TimeSpan.FromSeconds(5), (_, _) => Task.CompletedTask);
        });
        await app.Host.StopAsync(TestContext.Current.CancellationToken);
        var report = await app.ReportAsync();
        var stopped = spans.Stopped();
        var whole = stopped.Single(span => span.DisplayName == "graceful shutdown" && span.Duration == report.Duration);
        var mine = stopped.Where(span => span.ParentSpanId == whole.SpanId).ToArray();
        Assert.Equal((0, "Clean"), (whole.GetTagItem("graceful.exit_code"), whole.GetTagItem("graceful.stop.outcome")));
        Assert.Equal("stop of the host", whole.GetTagItem("graceful.stop.reason"));
        Assert.Equal(report.Stages.Select(stage => ($"graceful {stage.Name}", stage.Duration)), mine.Select(span => (span.DisplayName, span.Duration)));
        Assert.Equal(["before-drain hooks", "lame duck", "closing listeners", "draining"], report.Stages.Select(stage => stage.Name));
    }

    [Fact]
    public async Task Somebody_who_listens_and_throws_harms_nobody()
    {
        await using var app = await StartAsync();
        using var broken = new MeterListener();
        broken.InstrumentPublished = (instrument, listener) =>
        {
            if (ReferenceEquals(instrument.Meter.Scope, _scope) && instrument.Name == "graceful.drain.duration")
            {
                listener.EnableMeasurementEvents(instrument);
            }
        };
        broken.SetMeasurementEventCallback<double>((_, _, _, _) => throw new InvalidOperationException("no exporter"));
        broken.Start();
        await app.Host.StopAsync(TestContext.Current.CancellationToken);
        Assert.Equal(0, (await app.ReportAsync()).ExitCode);
        await app.Log.Until("Somebody who listens to metrics or activities failed");
    }

    private async Task<TestApp> StartAsync(Action<GracefulOptions>? configure = null)
    {
        _listener.InstrumentPublished = (instrument, listener) =>
        {
            if (instrument.Meter.Name == "Graceful")
            {
                listener.EnableMeasurementEvents(instrument);
            }
        };
        _listener.SetMeasurementEventCallback<int>((instrument, value, tags, _) => See(instrument, value, tags));
        _listener.SetMeasurementEventCallback<long>((instrument, value, tags, _) => See(instrument, value, tags));
        _listener.SetMeasurementEventCallback<double>((instrument, value, tags, _) => See(instrument, value, tags));
        _listener.Start();
        var app = await TestApp.StartAsync(configure);
        // A meter is known by the factory that made it: other tests have theirs.
        _scope = app.Services.GetRequiredService<IMeterFactory>();
        return app;
    }

    private Dictionary<string, double> Ask()
    {
        _listener.RecordObservableInstruments();
        lock (_seen)
        {
            return new(_seen);
        }
    }

    private void See(Instrument instrument, double value, ReadOnlySpan<KeyValuePair<string, object?>> tags)
    {
        if (_scope is null || !ReferenceEquals(instrument.Meter.Scope, _scope))
        {
            return;
        }

        lock (_seen)
        {
            _seen[string.Join(' ', [instrument.Name, .. tags.ToArray().Select(tag => tag.Value)])] = value;
        }
    }
}
