using System.Collections.Concurrent;

namespace Graceful.Engine;

/// <summary>Everybody who is inside. A walk sees each connection that was added before the walk began and has not left.</summary>
internal sealed class ConnectionTable
{
    private readonly ConcurrentDictionary<TrackedConnection, bool> _connections = new(ReferenceEqualityComparer.Instance);

    public void Add(TrackedConnection connection) => _connections[connection] = true;

    public void Remove(TrackedConnection connection) => _connections.TryRemove(connection, out _);

    /// <summary>Walks the table without a lock.</summary>
    public IEnumerator<KeyValuePair<TrackedConnection, bool>> GetEnumerator() => _connections.GetEnumerator();
}
