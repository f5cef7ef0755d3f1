using System.Diagnostics;
using System.Diagnostics.Metrics;
using Graceful.Engine;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Graceful.Reporting;

/// <summary>
/// What monitoring reads: the meter and the activity source <c>Graceful</c>. Connections, requests and work are counted when
/// somebody asks, nothing is written meanwhile; the way out is told when it is over, while the host still lives.
/// </summary>
internal sealed class Telemetry : HostedPart, IDisposable
{
    /// <summary>The name of the meter and of the activity source.</summary>
    public const string Name = "Graceful";

    private static readonly string[] Phases = ["new", "active", "idle", "hijacked", "closed"];

    private readonly LifecycleEngine _engine;
    private readonly TimeProvider _time;
    private readonly ILogger _log;
    private readonly ActivitySource _activities = new(Name);
    private readonly Histogram<double> _duration;
    private Task _told = Task.CompletedTask;

    public Telemetry(LifecycleEngine engine, IMeterFactory meters, IOptions<GracefulOptions> options, ILoggerFactory loggers)
    {
        _engine = engine;
        _log = loggers.CreateLogger(Log.Category);
        _time = options.Value.TimeProvider;
        var meter = meters.Create(Name);
        meter.CreateObservableUpDownCounter(
            "graceful.connection.count", ByPhase, "{connection}", "Connections that are inside, by phase.");
        meter.CreateObservableUpDownCounter(
            "graceful.active_requests", () => engine.RequestsInFlight, "{request}", "Requests in flight.");
        meter.CreateObservableUpDownCounter(
            "graceful.active_work", () => engine.Works.Count, "{work}", "Work in progress that is not a request.");
        meter.CreateObservableCounter(
            "graceful.aborted_connections", () => engine.Figures.ConnectionsAborted, "{connection}", "Connections that were cut off: time ran out, or the stop was forced.");
        meter.CreateObservableCounter(
            "graceful.refused_connections", () => engine.Figures.ConnectionsRefused, "{connection}", "Connections that came when nobody was let in any more.");
        _duration = meter.CreateHistogram<double>(
            "graceful.drain.duration", "s", "From the trigger to the end of the way out.");
    }

    public override Task StartAsync(CancellationToken cancellationToken)
    {
        _told = _engine.Exited.ContinueWith(TellAll, CancellationToken.None, TaskContinuationOptions.None, TaskScheduler.Default);
        return Task.CompletedTask;
    }

    /// <summary>Waits until the way out is told, so that whoever exports it is not disposed before; not for long.</summary>
    public override Task StopAsync(CancellationToken cancellationToken) =>
        _engine.IsAskedToStop ? Task.WhenAny(_told, Task.Delay(LifecycleEngine.LastWordsLimit, cancellationToken)) : Task.CompletedTask;

    public void Dispose() => _activities.Dispose();

    /// <summary>Nothing, where nobody listens or the host was disposed without having been stopped.</summary>
    private void TellAll(Task<ShutdownReport> exited)
    {
        try
        {
            if (exited.IsCompletedSuccessfully && (_duration.Enabled || _activities.HasListeners()))
            {
                Tell(exited.Result);
            }
        }
#pragma warning disable CA1031 // Whoever listens is the user's code, and must not harm the host's stop.
        catch (Exception e)
#pragma warning restore CA1031
        {
            Log.TelemetryFailed(_log, e);
        }
    }

    private void Tell(ShutdownReport report)
    {
        var ended = _time.GetUtcNow();
        var (cause, outcome, code) = (report.Reason.Cause.ToString(), report.Outcome.ToString(), report.ExitCode);
        _duration.Record(
            report.Duration.TotalSeconds, new("graceful.stop.cause", cause), new("graceful.stop.outcome", outcome), new("graceful.exit_code", code));
        using var whole = Start("graceful shutdown", default, ended - report.Duration);
        if (whole is null)
        {
            return;
        }

        whole.SetTag("graceful.stop.cause", cause).SetTag("graceful.stop.reason", report.Reason.ToString());
        whole.SetTag("graceful.stop.outcome", outcome).SetTag("graceful.exit_code", code);
        if (report.Outcome != ShutdownOutcome.Clean)
        {
            whole.SetStatus(ActivityStatusCode.Error, string.Join("; ", report.Troubles));
        }

        var from = ended - report.Duration;
        foreach (var stage in report.Stages)
        {
            using var span = Start($"graceful {stage.Name}", whole.Context, from);
            from += stage.Duration;
            span?.SetEndTime(from.UtcDateTime);
        }

        whole.SetEndTime(ended.UtcDateTime);
    }

    private Activity? Start(string name, ActivityContext parent, DateTimeOffset from) =>
        _activities.StartActivity(name, ActivityKind.Internal, parent, startTime: from);

    private IEnumerable<Measurement<int>> ByPhase() => _engine.ConnectionsByPhase()
        .Select((count, phase) => new Measurement<int>(count, new KeyValuePair<string, object?>("graceful.connection.phase", Phases[phase])));
}
