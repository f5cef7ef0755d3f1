using Graceful.Core;

namespace Graceful.Engine;

/// <summary>The core's clock: what has passed since the engine was made, by the user's <see cref="TimeProvider"/>.</summary>
internal sealed class EngineClock(TimeProvider time)
{
    /// <summary>What a timer can wait at most; whoever is woken early then finds nothing due, and waits again.</summary>
    private const double MostTimerMilliseconds = uint.MaxValue - 1d;

    private readonly long _start = time.GetTimestamp();

    public TimeSpan Elapsed => time.GetElapsedTime(_start);

    public Instant Now => Instant.NewInstant(Elapsed.Ticks);

    /// <summary>For how long a timer is set now that must not ring before then: it counts whole milliseconds, and one ring shall do.</summary>
    public static TimeSpan Wait(Instant due, Instant now)
    {
        var wait = Math.Ceiling(Math.Max(0, TimeSpan.FromTicks(due.ticks - now.ticks).TotalMilliseconds));
        return TimeSpan.FromMilliseconds(Math.Min(wait, MostTimerMilliseconds));
    }
}
