using System.Collections.Concurrent;

namespace Graceful.Engine;

/// <summary>Everybody of a kind who is inside. A walk sees each one that was added before the walk began and has not left.</summary>
internal sealed class Table<T>
    where T : class
{
    private readonly ConcurrentDictionary<T, bool> _inside = new(ReferenceEqualityComparer.Instance);

    public void Add(T one) => _inside[one] = true;

    public void Remove(T one) => _inside.TryRemove(one, out _);

    /// <summary>How many a walk meets.</summary>
    public int Count
    {
        get
        {
            var count = 0;
            foreach (var _ in _inside)
            {
                count++;
            }

            return count;
        }
    }

    /// <summary>The same walk, as a sequence.</summary>
    public IEnumerable<T> All => _inside.Select(static one => one.Key);

    /// <summary>Walks the table without a lock.</summary>
    public IEnumerator<KeyValuePair<T, bool>> GetEnumerator() => _inside.GetEnumerator();
}
