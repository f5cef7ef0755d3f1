namespace Graceful.Probe;

// How many requests ended in which way.
internal sealed class Counts
{
    private readonly long[] byOutcome = new long[Enum.GetValues<Outcome>().Length];
    private readonly SortedDictionary<int, long> byStatus = [];

    public long this[Outcome outcome] => byOutcome[(int)outcome];

    // Every status but 200.
    public IReadOnlyDictionary<int, long> Statuses => byStatus;

    // How often a client was told that the server leaves: answers with `Connection: close`, connections with a GOAWAY, a Close of
    // WebSocket in good order.
    public long ToldToClose { get; private set; }

    public long Lost => this[Outcome.LostNew] + this[Outcome.LostReused];

    // What a graceful server never lets happen.
    public long Failures => Lost + this[Outcome.Truncated] + this[Outcome.Malformed] + this[Outcome.Unanswered];

    public long Answers => this[Outcome.Ok] + this[Outcome.OtherStatus];

    public long Total => byOutcome.Sum();

    public void Add(Outcome outcome) => byOutcome[(int)outcome]++;

    public void AddTold() => ToldToClose++;

    public void AddAnswer(int status, bool toldToClose)
    {
        if (toldToClose)
        {
            ToldToClose++;
        }
        if (status == 200)
        {
            byOutcome[(int)Outcome.Ok]++;
            return;
        }
        byOutcome[(int)Outcome.OtherStatus]++;
        byStatus[status] = byStatus.GetValueOrDefault(status) + 1;
    }

    public void Add(Counts other)
    {
        for (int i = 0; i < byOutcome.Length; i++)
        {
            byOutcome[i] += other.byOutcome[i];
        }
        foreach ((int status, long count) in other.byStatus)
        {
            byStatus[status] = byStatus.GetValueOrDefault(status) + count;
        }
        ToldToClose += other.ToldToClose;
    }

    public static Counts Sum(IEnumerable<Counts> all)
    {
        var sum = new Counts();
        foreach (Counts counts in all)
        {
            sum.Add(counts);
        }
        return sum;
    }
}
