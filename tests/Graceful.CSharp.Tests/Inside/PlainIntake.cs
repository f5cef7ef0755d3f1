using Graceful.Engine;

namespace Graceful.Tests.Inside;

/// <summary>An intake without a listener, which only counts.</summary>
internal sealed class PlainIntake : IIntake
{
    private int _stops;
    private int _pauses;

    public int Stops => Volatile.Read(ref _stops);

    /// <summary>How many pauses were not resumed.</summary>
    public int Pauses => Volatile.Read(ref _pauses);

    /// <summary>What a pause waits for; nothing, when nothing is said.</summary>
    public Task Pausing { get; set; } = Task.CompletedTask;

    public bool IsAnybodyWaiting { get; set; }

    public Task PauseAsync()
    {
        Interlocked.Increment(ref _pauses);
        return Pausing;
    }

    public void Resume() => Volatile.Write(ref _pauses, 0);

    public Task<IntakeOutcome> StopAsync(bool successorHasIt)
    {
        Interlocked.Increment(ref _stops);
        return Task.FromResult(new IntakeOutcome("nowhere", "none", 0, null));
    }
}
