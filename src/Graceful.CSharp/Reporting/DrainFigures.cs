using Graceful.Engine;

namespace Graceful.Reporting;

/// <summary>What is counted on the way out, and only then: nothing here is touched while the server runs.</summary>
internal sealed class DrainFigures
{
    /// <summary>A request younger than this never held anybody up.</summary>
    private static readonly TimeSpan SlowRequest = TimeSpan.FromSeconds(1);

    private const int MostHeld = 5;

    private readonly List<HeldRequest> _slow = [];
    private readonly List<HeldRequest> _aborted = [];
    private long _requestsFinished;
    private long _connectionsClosed;
    private long _connectionsTold;
    private long _connectionsAborted;

    public long RequestsFinished => Interlocked.Read(ref _requestsFinished);

    public long ConnectionsClosed => Interlocked.Read(ref _connectionsClosed);

    public long ConnectionsTold => Interlocked.Read(ref _connectionsTold);

    public long ConnectionsAborted => Interlocked.Read(ref _connectionsAborted);

    public void Closed(bool told)
    {
        Interlocked.Increment(ref _connectionsClosed);
        if (told)
        {
            Interlocked.Increment(ref _connectionsTold);
        }
    }

    public void Finished(in HeldRequestFacts request)
    {
        Interlocked.Increment(ref _requestsFinished);
        if (request.Age >= SlowRequest)
        {
            Keep(request.ToHeld(), _slow);
        }
    }

    /// <summary>Call before the connection is reset, while it still knows what it was at.</summary>
    /// <returns>The requests that are cut off.</returns>
    public IReadOnlyList<HeldRequest> Aborting(TrackedConnection connection)
    {
        var requests = new List<HeldRequest>();
        connection.Describe(requests);
        foreach (var request in requests)
        {
            Keep(request, _aborted);
        }

        return requests;
    }

    public void Aborted() => Interlocked.Increment(ref _connectionsAborted);

    /// <summary>The oldest requests that finished while we waited, the oldest first.</summary>
    public IReadOnlyList<HeldRequest> Slow() => Copy(_slow);

    /// <summary>The oldest requests that were cut off, the oldest first.</summary>
    public IReadOnlyList<HeldRequest> Cut() => Copy(_aborted);

    private static HeldRequest[] Copy(List<HeldRequest> from)
    {
        lock (from)
        {
            return [.. from];
        }
    }

    private static void Keep(HeldRequest request, List<HeldRequest> where)
    {
        lock (where)
        {
            where.Add(request);
            where.Sort(static (a, b) => b.Age.CompareTo(a.Age));
            if (where.Count > MostHeld)
            {
                where.RemoveAt(MostHeld);
            }
        }
    }
}
