namespace Graceful.Tests.Support;

/// <summary>A place in the server's code where a request waits until the test opens it.</summary>
internal sealed class Door
{
    private readonly TaskCompletionSource _open = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int _waiting;

    public bool IsReached => Volatile.Read(ref _waiting) > 0;

    public void Open() => _open.TrySetResult();

    public async Task PassAsync()
    {
        Interlocked.Increment(ref _waiting);
        await _open.Task.Soon("The opening of the door");
    }

    /// <summary>Somebody stands before it.</summary>
    public Task Reached(int many = 1) => Limits.Until(() => Volatile.Read(ref _waiting) >= many, $"{many} at the door");
}
