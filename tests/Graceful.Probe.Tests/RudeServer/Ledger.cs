namespace Graceful.Probe.RudeServer;

// The server's own books, against which the probe's are checked: how many requests had which fate, and by which act.
internal sealed class Ledger
{
    private readonly Lock gate = new();
    private readonly SortedDictionary<string, long> entries = new(StringComparer.Ordinal);

    // A connection is reused when it has carried a whole answer; the books tell it apart only of what was lost, as the probe does.
    public void Enter(Act act, Fate fate, bool reused, int count = 1)
    {
        string entry = $"{act}:{fate}{(fate != Fate.Lost ? "" : reused ? "Reused" : "New")}";
        lock (gate)
        {
            entries[entry] = entries.GetValueOrDefault(entry) + count;
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
