using Graceful.Engine;

namespace Graceful.Tests.Inside;

/// <summary>An intake without a listener, which only counts.</summary>
internal sealed class PlainIntake : IIntake
{
    private int _stops;

    public int Stops => Volatile.Read(ref _stops);

    public Task<IntakeOutcome> StopAsync(bool successorHasIt)
    {
        Interlocked.Increment(ref _stops);
        return Task.FromResult(new IntakeOutcome("nowhere", "none", 0, null));
    }
}
