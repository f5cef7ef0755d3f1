using Graceful.Engine;

namespace Graceful.Reporting;

/// <summary>What is counted on the way out, and only then: nothing here is touched while the server runs.</summary>
internal sealed class DrainFigures
{
    private const int MostHeld = 5;

    private readonly List<HeldRequest> _slow = [];
    private readonly List<HeldRequest> _aborted = [];
    private readonly List<HeldRequest> _letGo = [];
    private readonly List<HeldWork> _slowWork = [];
    private readonly List<HeldWork> _abortedWork = [];
    private long _requestsFinished;
    private long _requestsLetGo;
    private long _gaveUp;
    private long _workFinished;
    private long _connectionsClosed;
    private long _connectionsTold;
    private long _connectionsAborted;
    private long _connectionsRefused;
    private long _webSocketsClosed;
    private long _webSocketsAnswered;
    private (long Requests, long Work, long Closed, long Told) _before;

    /// <summary>What is younger than this never held anybody up.</summary>
    public TimeSpan Slow { get; set; } = TimeSpan.FromSeconds(1);

    public long RequestsFinished => Interlocked.Read(ref _requestsFinished) - _before.Requests;

    public long RequestsLetGo => Interlocked.Read(ref _requestsLetGo);

    /// <summary>Whether somebody who was cut off goes on all the same, so that the server would wait for them.</summary>
    public bool HaveGivenUp => Interlocked.Read(ref _gaveUp) > 0;

    public long WorkFinished => Interlocked.Read(ref _workFinished) - _before.Work;

    public long ConnectionsClosed => Interlocked.Read(ref _connectionsClosed) - _before.Closed;

    public long ConnectionsTold => Interlocked.Read(ref _connectionsTold) - _before.Told;

    public long ConnectionsAborted => Interlocked.Read(ref _connectionsAborted);

    public long ConnectionsRefused => Interlocked.Read(ref _connectionsRefused);

    public long WebSocketsClosed => Interlocked.Read(ref _webSocketsClosed);

    public long WebSocketsAnswered => Interlocked.Read(ref _webSocketsAnswered);

    /// <summary>The way out begins: what was counted in a drill, or before a stop that was undone, is left out. On the mailbox.</summary>
    public void Begin()
    {
        _before = (Interlocked.Read(ref _requestsFinished), Interlocked.Read(ref _workFinished), Interlocked.Read(ref _connectionsClosed), Interlocked.Read(ref _connectionsTold));
        Clear(_slow);
        Clear(_slowWork);
    }

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
        if (request.Age >= Slow)
        {
            Keep(request.ToHeld(), _slow);
        }
    }

    /// <summary>Cut off because its endpoint allows it.</summary>
    public HeldRequest LetGo(in HeldRequestFacts request)
    {
        Interlocked.Increment(ref _requestsLetGo);
        var held = request.ToHeld();
        Keep(held, _letGo);
        return held;
    }

    public void GaveUp() => Interlocked.Increment(ref _gaveUp);

    public void Finished(HeldWork work)
    {
        Interlocked.Increment(ref _workFinished);
        if (work.Age >= Slow)
        {
            Keep(work, _slowWork);
        }
    }

    /// <summary>Call before anybody is told that it is over, while the work is still there.</summary>
    public void Abort(Table<WorkToken> works)
    {
        foreach (var (work, _) in works)
        {
            Keep(work.Held, _abortedWork);
        }
    }

    /// <summary>Call before the connection is reset, while it still knows what it was at.</summary>
    /// <returns>The requests that are cut off.</returns>
    public IReadOnlyList<HeldRequest> Aborting(TrackedConnection connection)
    {
        var requests = new List<HeldRequest>();
        connection.Describe(requests);
        if (connection.Held is { } work)
        {
            Keep(work, _abortedWork);
        }

        foreach (var request in requests)
        {
            Keep(request, _aborted);
        }

        return requests;
    }

    /// <summary>A WebSocket was closed by us, or its peer has answered that.</summary>
    public void WebSocketClosed(bool answered) => Interlocked.Increment(ref answered ? ref _webSocketsAnswered : ref _webSocketsClosed);

    public void Refused() => Interlocked.Increment(ref _connectionsRefused);

    public void Aborted() => Interlocked.Increment(ref _connectionsAborted);

    /// <summary>The oldest requests that finished while we waited, the oldest first.</summary>
    public IReadOnlyList<HeldRequest> SlowRequests() => Copy(_slow);

    /// <summary>The oldest requests that were cut off, the oldest first.</summary>
    public IReadOnlyList<HeldRequest> AbortedRequests() => Copy(_aborted);

    /// <summary>The oldest requests that were let go, the oldest first.</summary>
    public IReadOnlyList<HeldRequest> RequestsThatWereLetGo() => Copy(_letGo);

    /// <summary>The oldest work that finished while we waited, the oldest first.</summary>
    public IReadOnlyList<HeldWork> SlowWork() => Copy(_slowWork);

    /// <summary>The oldest work that was given up, the oldest first.</summary>
    public IReadOnlyList<HeldWork> AbortedWork() => Copy(_abortedWork);

    private static void Clear<T>(List<T> list)
    {
        lock (list)
        {
            list.Clear();
        }
    }

    private static T[] Copy<T>(List<T> from)
    {
        lock (from)
        {
            return [.. from];
        }
    }

    private static void Keep(HeldRequest request, List<HeldRequest> where) => Keep(request, where, static one => one.Age);

    private static void Keep(HeldWork work, List<HeldWork> where) => Keep(work, where, static one => one.Age);

    private static void Keep<T>(T one, List<T> where, Func<T, TimeSpan> age)
    {
        lock (where)
        {
            where.Add(one);
            where.Sort((a, b) => age(b).CompareTo(age(a)));
            if (where.Count > MostHeld)
            {
                where.RemoveAt(MostHeld);
            }
        }
    }
}
