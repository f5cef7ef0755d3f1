using Graceful.Core;
using Graceful.Engine;
using Graceful.Reporting;

namespace Graceful;

/// <summary>The engine as the application sees it.</summary>
/// <param name="engine">What it drives.</param>
/// <param name="options">What the user decided.</param>
/// <param name="prolong">Told by how much a hook makes the way out longer; one call after the other.</param>
internal sealed class GracefulControl(
    LifecycleEngine engine, GracefulOptions options, Action<TimeSpan> prolong) : IGraceful, IGracefulFeature, IEngineOwner
{
    private readonly Lock _adding = new();

    public LifecycleEngine Engine => engine;

    public CancellationToken Stopping => engine.Stopping;

    public CancellationToken Aborting => engine.Aborting;

    public TimeSpan? TimeLeft => engine.TimeLeft;

    public IReadOnlyList<HeldWork> Work => engine.WorkInProgress;

    public ServerCertificate? Certificate => options.Certificate;

    public bool IsDraining => engine.IsAskedToStop;

    public bool IsStopping => engine.IsAskedToStop;

    public StopReason? StopReason => engine.Reason;

    public Task<ShutdownReport> Completion => engine.Reported;

    public IDisposable Begin(string name)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(name);
        return new WorkToken(engine, name).Enter();
    }

    public Task Run(string name, Func<CancellationToken, Task> work)
    {
        ArgumentNullException.ThrowIfNull(work);
        return RunAsync(Begin(name), async aborting =>
        {
            await work(aborting).ConfigureAwait(false);
            return 0;
        });
    }

    public Task<T> Run<T>(string name, Func<CancellationToken, Task<T>> work)
    {
        ArgumentNullException.ThrowIfNull(work);
        return RunAsync(Begin(name), work);
    }

    public void Guard(string name, Task component)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(name);
        ArgumentNullException.ThrowIfNull(component);
        new ComponentGuard(engine, name, component, mustNotEnd: false).Watch();
    }

    public void OnStopping(
        string name, TimeSpan limit, Func<StopReason, CancellationToken, Task> hook, IEnumerable<string>? after, HookFailurePolicy onFailure) =>
        Add(HookRegistration.Of(name, afterDrain: false, limit, hook, after, onFailure));

    public void OnDrained(
        string name, TimeSpan limit, Func<StopReason, CancellationToken, Task> hook, IEnumerable<string>? after, HookFailurePolicy onFailure) =>
        Add(HookRegistration.Of(name, afterDrain: true, limit, hook, after, onFailure));

    public void OnStopping(
        string name, TimeSpan limit, Action<StopReason, CancellationToken> hook, IEnumerable<string>? after, HookFailurePolicy onFailure) =>
        Add(HookRegistration.Of(name, afterDrain: false, limit, HookRegistration.Awaited(hook), after, onFailure));

    public void OnDrained(
        string name, TimeSpan limit, Action<StopReason, CancellationToken> hook, IEnumerable<string>? after, HookFailurePolicy onFailure) =>
        Add(HookRegistration.Of(name, afterDrain: true, limit, HookRegistration.Awaited(hook), after, onFailure));

    public bool Close() => Ask(by: null);

    public bool Close(string by)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(by);
        return Ask(by);
    }

    public Task<bool> CloseAsync(CancellationToken cancellationToken = default) => AskAsync(by: null, cancellationToken);

    public Task<bool> CloseAsync(string by, CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(by);
        return AskAsync(by, cancellationToken);
    }

    public bool CloseNow(string? by = null)
    {
        if (by is not null)
        {
            ArgumentException.ThrowIfNullOrWhiteSpace(by);
        }

        if (IsPrevented(by))
        {
            return false;
        }

        var first = engine.Stop(Trigger.Requested, by);
        engine.Post(Event.NewForceRequested(ForceCause.StopNow));
        return first;
    }

    public Task<bool> ResumeAsync() => engine.ResumeAsync();

    public Task<bool> DrillAsync() => options.LameDuck > TimeSpan.Zero
        ? engine.DrillAsync(options.LameDuck)
        : throw new InvalidOperationException(
            $"{nameof(GracefulOptions.LameDuck)} is zero, so there is nothing to practise; allowed is a server with one, or DrillAsync with a duration.");

    public Task<bool> DrillAsync(TimeSpan lameDuck)
    {
        ArgumentOutOfRangeException.ThrowIfLessThanOrEqual(lameDuck, TimeSpan.Zero);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(lameDuck, GracefulOptions.MostLameDuck);
        return engine.DrillAsync(lameDuck);
    }

    private void Add(HookRegistration hook)
    {
        if (hook.Errors().ToArray() is { Length: > 0 } errors)
        {
            throw new ArgumentException(string.Join(" ", errors));
        }

        lock (_adding)
        {
            prolong(engine.AddHook(hook));
        }
    }

    private bool Ask(string? by) => !IsPrevented(by) && engine.Stop(Trigger.Requested, by);

    private async Task<bool> AskAsync(string? by, CancellationToken cancellationToken)
    {
        var undone = engine.Departure.Undone;
        if (IsPrevented(by))
        {
            return false;
        }

        var first = engine.Stop(Trigger.Requested, by);
        if (engine.IsInsideHook)
        {
            return first;
        }

        var end = await Task.WhenAny(engine.Reported, undone).WaitAsync(cancellationToken).ConfigureAwait(false);
        await end.ConfigureAwait(false);
        return first && end != undone;
    }

    private bool IsPrevented(string? by)
    {
        if (engine.IsAskedToStop)
        {
            // It joins the one that is under way.
            return false;
        }

        var reason = new StopReason(StopCause.Requested, Who: by);
        foreach (var (name, whyNot) in options.Preventions)
        {
            string? why = null;
            try
            {
                why = whyNot(reason);
            }
#pragma warning disable CA1031 // Whoever can't say why not has no reason.
            catch (Exception e)
#pragma warning restore CA1031
            {
                engine.Say(log => Log.PreventionFailed(log, e, name));
            }

            if (why is not null)
            {
                engine.Say(log => Log.Prevented(log, reason.ToString(), name, why));
                return true;
            }
        }

        return false;
    }

    private async Task<T> RunAsync<T>(IDisposable token, Func<CancellationToken, Task<T>> work)
    {
        using (token)
        {
            return await Task.Run(() => work(engine.Aborting)).ConfigureAwait(false);
        }
    }
}
