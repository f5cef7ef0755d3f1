using Graceful.Core;
using Graceful.Engine;
using Graceful.Platform;
using Graceful.Posix;
using Graceful.Reporting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;

namespace Graceful;

/// <summary>
/// The way out without a host, for programs whose server is not Kestrel: signals, hooks, service manager, time-outs, report and exit
/// code. A <see cref="ConnectionTracker{TConnection}"/> made for it says whose connections are waited for.
/// </summary>
/// <remarks>
/// <para>
/// It begins with <see cref="Start"/> and ends with the way out: <c>return (await lifecycle.Completion).ExitCode;</c> is the end of
/// <c>Main</c>. Several may live in one process, with <see cref="GracefulOptions.OwnsProcess"/> and
/// <see cref="GracefulOptions.NotifyServiceManager"/> false for each that is not the whole of it.
/// </para>
/// <para>
/// Metrics and the activities of the way out are those of <c>AddGraceful</c>: a meter and an activity source called <c>Graceful</c>. All members may
/// be used from any thread.
/// </para>
/// </remarks>
public sealed class GracefulLifecycle : IGraceful, IEngineOwner, IAsyncDisposable
{
    private readonly Lock _disposing = new();
    private readonly SignalSource _signals = new();
    private readonly OwnMeters _meters = new();
    private readonly LifecycleEngine _engine;
    private readonly GracefulControl _control;
    private readonly ServiceManager? _manager;
    private readonly Telemetry _telemetry;
    private long _budget;
    private Task? _disposed;

    private GracefulLifecycle(GracefulOptions options, ILoggerFactory loggers)
    {
        var log = loggers.CreateLogger(Log.Category);
        _engine = new LifecycleEngine(options, log);
        _budget = options.Budget().Ticks;
        _control = new GracefulControl(_engine, options, Prolong);
        _telemetry = new Telemetry(_engine, _meters, Options.Create(options), loggers);
        _ = _telemetry.StartAsync(CancellationToken.None);

        // Before the signals, so that nothing of a way out is missed.
        _manager = ServiceManager.Find(_engine, options, ServiceEnvironment.Read(), Budget, lifetimeTells: false, log);
        foreach (var misfit in Platform.Budget.Misfits(options, Timeout.InfiniteTimeSpan))
        {
            Log.OutOfBudget(log, misfit);
        }

        _engine.StartedUp();
        _signals.Attach(_engine, options.Signals);
        _signals.OwnChosen();
        Completion = EndAsync();
    }

    /// <inheritdoc/>
    public CancellationToken Stopping => _control.Stopping;

    /// <inheritdoc/>
    public CancellationToken Aborting => _control.Aborting;

    /// <inheritdoc/>
    public TimeSpan? TimeLeft => _control.TimeLeft;

    /// <inheritdoc/>
    public IReadOnlyList<HeldWork> Work => _control.Work;

    /// <inheritdoc/>
    public ServerCertificate? Certificate => _control.Certificate;

    /// <inheritdoc/>
    public bool IsStopping => _control.IsStopping;

    /// <inheritdoc/>
    public StopReason? StopReason => _control.StopReason;

    /// <summary>
    /// Whether readiness holds, for a probe of your own: false from the first moment of the way out, and during a drill.
    /// </summary>
    public bool IsReady => _engine.IsReady;

    /// <summary>
    /// Completes when the way out is over: its report is in the log, and its exit code, if it is not 0, in
    /// <see cref="Environment.ExitCode"/> (see <see cref="GracefulOptions.OwnsProcess"/>). Never faults.
    /// </summary>
    public Task<ShutdownReport> Completion { get; }

    LifecycleEngine IEngineOwner.Engine => _engine;

    /// <summary>Takes the signals that the options choose, and is there from now on for whoever joins its way out.</summary>
    /// <param name="configure">Changes the options; every default is valid.</param>
    /// <param name="loggers">Where it logs; null for nowhere. Not disposed with it.</param>
    /// <returns>What drives the way out. A program starts it before it listens.</returns>
    /// <exception cref="OptionsValidationException">Options are invalid: each with its name, its value and what is allowed.</exception>
    public static GracefulLifecycle Start(Action<GracefulOptions>? configure = null, ILoggerFactory? loggers = null)
    {
        var options = new GracefulOptions();
        configure?.Invoke(options);
        if (new GracefulOptionsValidator().Validate(Options.DefaultName, options) is { Failed: true } invalid)
        {
            throw new OptionsValidationException(Options.DefaultName, typeof(GracefulOptions), invalid.Failures);
        }

        return new GracefulLifecycle(options, loggers ?? NullLoggerFactory.Instance);
    }

    /// <summary>
    /// Tells the service manager that the service is up: READY=1. Call it when the server listens. Where no service manager wants to
    /// hear, it does nothing and may be left out; systemd with <c>Type=notify</c> ends a service that never says it.
    /// </summary>
    public void Ready() => _manager?.Started();

    /// <inheritdoc/>
    public IDisposable Begin(string name) => _control.Begin(name);

    /// <inheritdoc/>
    public Task Run(string name, Func<CancellationToken, Task> work) => _control.Run(name, work);

    /// <inheritdoc/>
    public Task<T> Run<T>(string name, Func<CancellationToken, Task<T>> work) => _control.Run(name, work);

    /// <inheritdoc/>
    public void Guard(string name, Task component) => _control.Guard(name, component);

    /// <inheritdoc/>
    public void OnStopping(
        string name,
        TimeSpan limit,
        Func<StopReason, CancellationToken, Task> hook,
        IEnumerable<string>? after = null,
        HookFailurePolicy onFailure = HookFailurePolicy.Continue) => _control.OnStopping(name, limit, hook, after, onFailure);

    /// <inheritdoc/>
    public void OnStopping(
        string name,
        TimeSpan limit,
        Action<StopReason, CancellationToken> hook,
        IEnumerable<string>? after = null,
        HookFailurePolicy onFailure = HookFailurePolicy.Continue) => _control.OnStopping(name, limit, hook, after, onFailure);

    /// <inheritdoc/>
    public void OnDrained(
        string name,
        TimeSpan limit,
        Func<StopReason, CancellationToken, Task> hook,
        IEnumerable<string>? after = null,
        HookFailurePolicy onFailure = HookFailurePolicy.Continue) => _control.OnDrained(name, limit, hook, after, onFailure);

    /// <inheritdoc/>
    public void OnDrained(
        string name,
        TimeSpan limit,
        Action<StopReason, CancellationToken> hook,
        IEnumerable<string>? after = null,
        HookFailurePolicy onFailure = HookFailurePolicy.Continue) => _control.OnDrained(name, limit, hook, after, onFailure);

    /// <inheritdoc/>
    public bool Close() => _control.Close();

    /// <inheritdoc/>
    public bool Close(string by) => _control.Close(by);

    /// <inheritdoc/>
    public Task<bool> CloseAsync(CancellationToken cancellationToken = default) => _control.CloseAsync(cancellationToken);

    /// <inheritdoc/>
    public Task<bool> CloseAsync(string by, CancellationToken cancellationToken = default) => _control.CloseAsync(by, cancellationToken);

    /// <inheritdoc/>
    public bool CloseNow(string? by = null) => _control.CloseNow(by);

    /// <inheritdoc/>
    public Task<bool> ResumeAsync() => _control.ResumeAsync();

    /// <inheritdoc/>
    public Task<bool> DrillAsync() => _control.DrillAsync();

    /// <inheritdoc/>
    public Task<bool> DrillAsync(TimeSpan lameDuck) => _control.DrillAsync(lameDuck);

    /// <summary>
    /// Leaves in order, if it has not left yet, and waits for that: as long as the grace period and the hooks after it may take. Nobody prevents
    /// or undoes this stop, whose cause is <see cref="StopCause.HostStopped"/>. Then it lets go of the signals, unless the
    /// process is its own and on its way to its exit. More than once is harmless. Inside a hook it does not wait; inside tracked work,
    /// or the handler of a tracked connection, it would wait for itself until the grace period ends.
    /// </summary>
    /// <returns>Completes when all is over.</returns>
    public ValueTask DisposeAsync()
    {
        lock (_disposing)
        {
            _disposed ??= LeaveForGoodAsync();
        }

        return _engine.IsInsideHook ? default : new ValueTask(_disposed);
    }

    private TimeSpan Budget() => TimeSpan.FromTicks(Interlocked.Read(ref _budget));

    private void Prolong(TimeSpan longer)
    {
        if (Budget() != Timeout.InfiniteTimeSpan)
        {
            Interlocked.Add(ref _budget, longer.Ticks);
        }
    }

    private async Task<ShutdownReport> EndAsync()
    {
        var report = await _engine.Reported.ConfigureAwait(false);
        await _telemetry.StopAsync(CancellationToken.None).ConfigureAwait(false);
        _manager?.Execute();
        return report;
    }

    private async Task LeaveForGoodAsync()
    {
        _engine.Stop(Trigger.HostStopped);
        await Completion.ConfigureAwait(false);

        // By now it may be known, too, what became of those that were aborted.
        await _engine.FlushRecordAsync().ConfigureAwait(false);
        _signals.Dispose();
        _manager?.Dispose();
        _telemetry.Dispose();
        _meters.Dispose();
        _engine.Dispose();
    }
}
