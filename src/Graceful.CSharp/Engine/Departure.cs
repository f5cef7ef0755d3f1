namespace Graceful.Engine;

/// <summary>What the application sees of one way out, asked for or not yet: when it is undone, the next one has another.</summary>
#pragma warning disable CA1001 // Its token stays with whoever has it, and without a timer or a wait handle there is nothing to dispose.
internal sealed class Departure
#pragma warning restore CA1001
{
    private readonly CancellationTokenSource _stopping = new();
    private readonly TaskCompletionSource _undone = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int _asked;

    public CancellationToken Stopping => _stopping.Token;

    public bool IsAsked => Volatile.Read(ref _asked) != 0;

    /// <summary>Completes when it is undone.</summary>
    public Task Undone => _undone.Task;

    /// <returns>True for the first who asks.</returns>
    public bool Ask() => Interlocked.Exchange(ref _asked, 1) == 0;

    /// <summary>Runs callbacks of the users', so never on the mailbox.</summary>
    public Task FireAsync() => _stopping.CancelAsync();

    public void Undo() => _undone.TrySetResult();
}
