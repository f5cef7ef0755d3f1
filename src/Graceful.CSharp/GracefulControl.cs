using Graceful.Core;
using Graceful.Engine;

namespace Graceful;

/// <summary>The engine as the application sees it.</summary>
internal sealed class GracefulControl(LifecycleEngine engine) : IGraceful
{
    public CancellationToken Stopping => engine.Stopping;

    public bool IsStopping => engine.IsAskedToStop;

    public Task<ShutdownReport> Completion => engine.Reported;

    public bool Close() => engine.Stop(Trigger.Requested);

    public async Task<bool> CloseAsync(CancellationToken cancellationToken = default)
    {
        var first = Close();
        if (!engine.IsInsideHook)
        {
            await engine.Reported.WaitAsync(cancellationToken).ConfigureAwait(false);
        }

        return first;
    }
}
