namespace Graceful.Engine;

/// <summary>How many connections are in which phase.</summary>
internal static class PhaseCounts
{
    /// <summary>A walk that nobody is stopped for; every phase is there.</summary>
    public static IReadOnlyDictionary<ConnectionPhase, int> Of(IEnumerable<TrackedConnection> connections)
    {
        var counts = Enum.GetValues<ConnectionPhase>().ToDictionary(static phase => phase, static _ => 0);
        foreach (var connection in connections)
        {
            counts[connection.Phase]++;
        }

        return counts;
    }
}
