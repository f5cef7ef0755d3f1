using Graceful.Core;
using Graceful.Engine;

namespace Graceful;

/// <summary>The engine as the application sees it.</summary>
internal sealed class GracefulControl(LifecycleEngine engine) : IGraceful, IGracefulFeature
{
    public CancellationToken Stopping => engine.Stopping;

    public CancellationToken Aborting => engine.Aborting;

    public TimeSpan? TimeLeft => engine.TimeLeft;

    public IReadOnlyList<HeldWork> Work => engine.WorkInProgress;

    public bool IsDraining => engine.IsAskedToStop;

    public bool IsStopping => engine.IsAskedToStop;

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

    public bool Close() => engine.Stop(Trigger.Requested);

    public bool Close(string by)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(by);
        return engine.Stop(Trigger.Requested, by);
    }

    public Task<bool> CloseAsync(CancellationToken cancellationToken = default) => WaitAsync(Close(), cancellationToken);

    public Task<bool> CloseAsync(string by, CancellationToken cancellationToken = default) => WaitAsync(Close(by), cancellationToken);

    private async Task<bool> WaitAsync(bool first, CancellationToken cancellationToken)
    {
        if (!engine.IsInsideHook)
        {
            await engine.Reported.WaitAsync(cancellationToken).ConfigureAwait(false);
        }

        return first;
    }

    private async Task<T> RunAsync<T>(IDisposable token, Func<CancellationToken, Task<T>> work)
    {
        using (token)
        {
            return await Task.Run(() => work(engine.Aborting)).ConfigureAwait(false);
        }
    }
}
