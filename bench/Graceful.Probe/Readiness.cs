using System.Diagnostics;

namespace Graceful.Probe;

// Asks a starting server until it answers.
internal static class Readiness
{
    private static readonly TimeSpan Between = TimeSpan.FromMilliseconds(25);

    // Ready is the first complete answer whose status is not an error of the server's own (5xx).
    public static void Await(ServerProcess process, LoadPlan plan, TimeSpan limit)
    {
        long from = Stopwatch.GetTimestamp();
        string seen = "nothing";
        while (Stopwatch.GetElapsedTime(from) is var elapsed && elapsed < limit)
        {
            if (process.HasExited)
            {
                process.FinishOutput();
                throw new ProbeException($"the server exited ({process.Exit}) before it answered; it printed:\n{process.Output}");
            }
            TimeSpan left = limit - elapsed;
            seen = Ask(plan, left < TimeSpan.FromSeconds(5) ? left : TimeSpan.FromSeconds(5));
            if (seen == "")
            {
                return;
            }
            process.WaitForExit(Between);
        }
        throw new ProbeException(
            $"the server did not answer on {plan.UnixPath ?? $"port {plan.Port}"} within {limit.TotalSeconds:0.#} s (last: {seen}); it printed:\n{process.Output}");
    }

    // Empty when it answered well, else what happened.
    private static string Ask(LoadPlan plan, TimeSpan limit)
    {
        LoadPlan once = plan with { ConnectLimit = limit, RequestLimit = limit };
        using var load = new TaskLoad(once, new StageBoard());
        using TaskClient asker = load.Asker();
        asker.RequestAsync().GetAwaiter().GetResult();
        Counts counts = load.Tally().Of(ClientKind.Connect, signalled: false);
        foreach (string error in load.Tally().ProbeErrors.Keys)
        {
            return error;
        }
        if (counts.Answers == 0)
        {
            return Enum.GetValues<Outcome>().First(outcome => counts[outcome] > 0).ToString();
        }
        return counts.Statuses.Keys.FirstOrDefault() is var status && (status >= 500 || IsRefusal(plan, status)) ? $"status {status}" : "";
    }

    // What no client of this protocol could go on with.
    private static bool IsRefusal(LoadPlan plan, int status) =>
        status != 0 && (status < 100 || plan.Protocol is Protocol.WebSocket or Protocol.Sse);
}
