using Graceful.Core;

namespace Graceful.Engine;

/// <summary>The core's clock: what has passed since the engine was made, by the user's <see cref="TimeProvider"/>.</summary>
internal sealed class EngineClock(TimeProvider time)
{
    private readonly long _start = time.GetTimestamp();

    public TimeSpan Elapsed => time.GetElapsedTime(_start);

    public Instant Now => Instant.NewInstant(Elapsed.Ticks);
}
