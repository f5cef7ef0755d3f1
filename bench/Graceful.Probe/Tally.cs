namespace Graceful.Probe;

// Everything that one set of clients counted in one run. Written by one thread; Answers and Connections may be read by another.
internal sealed class Tally
{
    private static readonly int Kinds = Enum.GetValues<ClientKind>().Length;

    private readonly Counts[] before = NewCounts();
    private readonly Counts[] after = NewCounts();
    private readonly SortedDictionary<string, long> probeErrors = [];
    private long answers;
    private long connections;
    private long lastByteAt;

    // Stopwatch time stamp of the last answer byte that any client received; 0 when there was none.
    public long LastByteAt => Volatile.Read(ref lastByteAt);

    public long AnswersSoFar => Volatile.Read(ref answers);

    public long ConnectionsSoFar => Volatile.Read(ref connections);

    // How the idle connections ended.
    public long IdleOpened { get; set; }

    public long IdleFin { get; set; }

    public long IdleReset { get; set; }

    public long IdleOpen { get; set; }

    // What went wrong on the probe's own side (no port left, no descriptor left); never the server's failure.
    public IReadOnlyDictionary<string, long> ProbeErrors => probeErrors;

    public Counts Of(ClientKind kind, bool signalled) => (signalled ? after : before)[(int)kind];

    public void Count(ClientKind kind, bool signalled, Outcome outcome) => Of(kind, signalled).Add(outcome);

    public void CountAnswer(ClientKind kind, bool signalled, int status, bool toldToClose)
    {
        Of(kind, signalled).AddAnswer(status, toldToClose);
        Volatile.Write(ref answers, answers + 1);
    }

    public void CountTold(ClientKind kind, bool signalled) => Of(kind, signalled).AddTold();

    public void CountConnection() => Volatile.Write(ref connections, connections + 1);

    public void CountProbeError(string what) => probeErrors[what] = probeErrors.GetValueOrDefault(what) + 1;

    public void ReceivedAt(long now) => Volatile.Write(ref lastByteAt, now);

    public void Add(Tally other)
    {
        for (int kind = 0; kind < Kinds; kind++)
        {
            before[kind].Add(other.before[kind]);
            after[kind].Add(other.after[kind]);
        }
        foreach ((string what, long count) in other.probeErrors)
        {
            probeErrors[what] = probeErrors.GetValueOrDefault(what) + count;
        }
        answers += other.AnswersSoFar;
        connections += other.ConnectionsSoFar;
        lastByteAt = Math.Max(lastByteAt, other.LastByteAt);
        IdleOpened += other.IdleOpened;
        IdleFin += other.IdleFin;
        IdleReset += other.IdleReset;
        IdleOpen += other.IdleOpen;
    }

    private static Counts[] NewCounts()
    {
        var counts = new Counts[Kinds];
        for (int i = 0; i < counts.Length; i++)
        {
            counts[i] = new Counts();
        }
        return counts;
    }
}
