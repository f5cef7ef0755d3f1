using System.Runtime;

namespace Graceful.Engine;

/// <summary>
/// Memory enough for the way out. The end of a connection allocates a little; of thousands at once, enough for a collection in the middle of it, which looks at
/// everything they have left and holds all of them up for tens of milliseconds: for a process that is about to end, and gives all of it back then.
/// </summary>
internal static class CollectionPause
{
    /// <summary>Enough for the ends of ten thousand connections and more. Whoever needs more, because much is still being done, has it collected as ever.</summary>
    private const long Bytes = 16 << 20;

    /// <summary>Any thread; returns when the memory is there, after a moment in which no managed code runs. Never throws.</summary>
    public static void Begin()
    {
        try
        {
            if (GCSettings.LatencyMode != GCLatencyMode.NoGCRegion)
            {
                _ = GC.TryStartNoGCRegion(Bytes, disallowFullBlockingGC: true);
            }
        }
        catch (Exception e) when (e is InvalidOperationException or ArgumentOutOfRangeException)
        {
            // The application has begun one of its own just now, or may not have as much.
        }
    }
}
