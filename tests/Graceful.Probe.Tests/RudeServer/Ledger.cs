namespace Graceful.Probe.RudeServer;

// The server's own books, against which the probe's are checked.
internal sealed class Ledger
{
    private readonly Lock gate = new();
    private readonly SortedDictionary<string, long> entries = new(StringComparer.Ordinal);

    public void Enter(Act act, bool reused)
    {
        string entry = $"{act}{(reused ? "Reused" : "New")}";
        lock (gate)
        {
            entries[entry] = entries.GetValueOrDefault(entry) + 1;
        }
    }

    public override string ToString()
    {
        lock (gate)
        {
            return string.Join(' ', entries.Select(pair => $"{pair.Key}={pair.Value}"));
        }
    }
}
