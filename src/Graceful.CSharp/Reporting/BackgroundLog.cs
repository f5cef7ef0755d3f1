namespace Graceful.Reporting;

/// <summary>
/// Writes to the log one entry after the other, on a thread of the pool: a sink that throws or blocks harms the log and
/// nothing else.
/// </summary>
internal sealed class BackgroundLog
{
    private readonly Lock _order = new();
    private Task _last = Task.CompletedTask;

    /// <summary>Any thread; returns at once. The task completes when this entry, and all before it, are written.</summary>
    public Task Write(Action entry)
    {
        lock (_order)
        {
            return _last = _last.ContinueWith(_ => TryWrite(entry), CancellationToken.None, TaskContinuationOptions.None, TaskScheduler.Default);
        }
    }

    private static void TryWrite(Action entry)
    {
        try
        {
            entry();
        }
#pragma warning disable CA1031 // There is nobody left to tell that the log is broken.
        catch (Exception)
#pragma warning restore CA1031
        {
        }
    }
}
