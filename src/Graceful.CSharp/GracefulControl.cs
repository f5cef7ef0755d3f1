using Graceful.Core;
using Graceful.Engine;

namespace Graceful;

/// <summary>The engine as the application sees it.</summary>
internal sealed class GracefulControl(LifecycleEngine engine) : IGraceful
{
    public CancellationToken Stopping => engine.Stopping;

    public bool IsStopping => engine.IsAskedToStop;

    public Task<ShutdownReport> Completion => engine.Exited;

    public bool Close() => engine.Stop(Trigger.Requested);

    public async Task<bool> CloseAsync(CancellationToken cancellationToken = default)
    {
        var first = Close();
        if (!engine.IsInsideHook)
        {
            await engine.Exited.WaitAsync(cancellationToken).ConfigureAwait(false);
        }

        return first;
    }
}
