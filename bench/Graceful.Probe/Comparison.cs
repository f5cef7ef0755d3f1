namespace Graceful.Probe;

// All runs of all servers, in turn, and what they add up to.
internal sealed class Comparison(ProbeOptions options, TextReport report)
{
    private readonly Dictionary<string, List<RunResult>> results = options.Servers.ToDictionary(server => server.Label, _ => new List<RunResult>());

    // Why the runs were broken off; null when they were not.
    public string? Error { get; private set; }

    public IReadOnlyList<ServerSummary> Summaries => [.. options.Servers.Select(server => new ServerSummary(server, results[server.Label]))];

    public int ExitStatus
    {
        get
        {
            IEnumerable<RunResult> all = results.Values.SelectMany(runs => runs);
            if (Error is not null || all.Any(run => run.Tally.ProbeErrors.Count > 0))
            {
                return 2;
            }
            return all.Any(run => run.Failed && options.ExpectClean.Contains(run.Server)) ? 1 : 0;
        }
    }

    public void Add(RunResult result) => results[result.Server].Add(result);

    public void Run()
    {
        var trial = new Trial(options);
        int number = 0, total = options.Runs * options.Servers.Count;
        for (int run = 1; run <= options.Runs; run++)
        {
            // Each is first in every other round, so that whatever drifts on this machine drifts for all of them.
            IEnumerable<ServerCommand> order = run % 2 == 1 ? options.Servers : options.Servers.Reverse();
            foreach (ServerCommand server in order)
            {
                try
                {
                    RunResult result = trial.Run(server, run);
                    Add(result);
                    report.Run(result, ++number, total);
                }
                catch (ProbeException e)
                {
                    Error = $"{server.Label}: {e.Message}";
                    return;
                }
            }
        }
    }
}
