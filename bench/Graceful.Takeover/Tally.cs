using System.Collections.Concurrent;

namespace Graceful.Takeover;

/// <summary>What a client got.</summary>
internal sealed class Tally
{
    private readonly ConcurrentDictionary<string, int> _failures = new();
    private long _answered;
    private long _failed;
    private int _connections;

    public long Answered => Interlocked.Read(ref _answered);

    public long Failed => Interlocked.Read(ref _failed);

    /// <summary>How many connections it has opened; 0 where nobody counts.</summary>
    public int Connections => Volatile.Read(ref _connections);

    /// <summary>Why, and how often.</summary>
    public IEnumerable<KeyValuePair<string, int>> Failures => _failures.OrderByDescending(failure => failure.Value);

    public void Connect() => Interlocked.Increment(ref _connections);

    public void Answer(long many = 1) => Interlocked.Add(ref _answered, many);

    public void Fail(string why, int many = 1)
    {
        Interlocked.Add(ref _failed, many);
        _failures.AddOrUpdate(why, many, (_, before) => before + many);
    }
}
