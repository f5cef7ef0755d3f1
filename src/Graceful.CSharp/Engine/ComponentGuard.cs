namespace Graceful.Engine;

/// <summary>A component whose failure is a reason to leave; it is told once, whoever hears of it first.</summary>
/// <param name="engine">Whom to tell.</param>
/// <param name="name">What reports call it.</param>
/// <param name="component">Its whole run.</param>
/// <param name="mustNotEnd">Whether a cancellation that nobody asked for is a failure, as it is to the host.</param>
internal sealed class ComponentGuard(LifecycleEngine engine, string name, Task component, bool mustNotEnd)
{
    private int _told;

    public void Watch() => _ = component.ContinueWith(
        _ => Hear(), CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);

    /// <summary>Tells of a failure that is there already, and does not wait for the news of it.</summary>
    public void Hear()
    {
        var failed = component.IsFaulted || (component.IsCanceled && mustNotEnd && !engine.IsAskedToStop);
        if (failed && Interlocked.Exchange(ref _told, 1) == 0)
        {
            engine.Fail(name, component.Exception?.GetBaseException() ?? new TaskCanceledException(component));
        }
    }
}
