namespace Graceful.Probe;

// All runs of one server taken together.
internal sealed class ServerSummary
{
    public ServerSummary(ServerCommand server, IReadOnlyList<RunResult> runs)
    {
        Server = server;
        Runs = runs;
        Before = Counts.Sum(runs.Select(run => run.Before));
        After = Counts.Sum(runs.Select(run => run.After));
        SignalToExit = Spread.Of(runs.Select(run => run.SignalToExitMilliseconds));
        LastByteToExit = Spread.Of(runs.Select(run => run.LastByteToExitMilliseconds).OfType<double>());
        RequestsPerSecond = Spread.Of(runs.Select(run => run.RequestsPerSecond));
        ConnectionsPerSecond = Spread.Of(runs.Select(run => run.ConnectionsPerSecond));
    }

    public ServerCommand Server { get; }

    public IReadOnlyList<RunResult> Runs { get; }

    public Counts Before { get; }

    public Counts After { get; }

    public Spread? SignalToExit { get; }

    public Spread? LastByteToExit { get; }

    public Spread? RequestsPerSecond { get; }

    public Spread? ConnectionsPerSecond { get; }

    public long IdleFin => Runs.Sum(run => run.Tally.IdleFin);

    public long IdleReset => Runs.Sum(run => run.Tally.IdleReset);

    public long IdleOpen => Runs.Sum(run => run.Tally.IdleOpen);

    // A run fails when anything in it was lost, truncated, malformed or unanswered, or when the server had to be killed.
    public int FailedRuns => Runs.Count(run => run.Failed);

    public IReadOnlyDictionary<string, int> Exits { get => field ??= CountExits(); }

    private SortedDictionary<string, int> CountExits()
    {
        var exits = new SortedDictionary<string, int>(StringComparer.Ordinal);
        foreach (RunResult run in Runs)
        {
            string exit = run.KilledByProbe ? "killed by the probe" : run.Exit.ToString();
            exits[exit] = exits.GetValueOrDefault(exit) + 1;
        }
        return exits;
    }
}
