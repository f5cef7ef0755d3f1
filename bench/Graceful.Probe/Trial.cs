using System.Diagnostics;

namespace Graceful.Probe;

// One run: start the server, load it, signal it, and watch until it is gone.
internal sealed class Trial(ProbeOptions options)
{
    private static readonly TimeSpan IdleOpenLimit = TimeSpan.FromSeconds(20);

    // How long the requests in flight may still take once we have given up on the server.
    private static readonly TimeSpan LastChance = TimeSpan.FromSeconds(1);

    // Beside the conductor the one who may end the child is the handler of the probe's own signals.
    private static ServerProcess? running;

    public static void KillRunning() => Volatile.Read(ref running)?.Signal(Libc.SIGKILL);

    public RunResult Run(ServerCommand server, int run)
    {
        int port = FreePort.Find();
        string WithPort(string text) => text.Replace("{port}", port.ToString(System.Globalization.CultureInfo.InvariantCulture), StringComparison.Ordinal);
        using ServerProcess process = ServerProcess.Start(
            [.. server.Words.Select(WithPort)],
            options.Environment.ToDictionary(pair => pair.Key, pair => WithPort(pair.Value)));
        Volatile.Write(ref running, process);
        try
        {
            LoadPlan plan = options.PlanFor(port, options.Unix is null ? null : WithPort(options.Unix));
            Readiness.Await(process, plan, options.ReadyLimit);
            var board = new StageBoard();
            bool isPlain = options is { Protocol: Protocol.Http1, Tls: false, Unix: null };
            ILoad load = isPlain ? new EpollLoad(plan, board) : new TaskLoad(plan, board);
            load.Start();
            try
            {
                return Conduct(server, run, process, plan, board, load);
            }
            finally
            {
                board.Advance(Stage.Cut);
                load.Join(LastChance);
                (load as IDisposable)?.Dispose();
            }
        }
        finally
        {
            Volatile.Write(ref running, null);
        }
    }

    private RunResult Conduct(ServerCommand server, int run, ServerProcess process, LoadPlan plan, StageBoard board, ILoad load)
    {
        Stay(process, options.WarmUp);
        board.Advance(Stage.OpenIdle);
        AwaitIdle(process, load);

        long from = Stopwatch.GetTimestamp();
        long answers = load.AnswersSoFar, connections = load.ConnectionsSoFar;
        Stay(process, plan.Slow > 0 ? options.Load - options.SlowLead : options.Load);
        if (plan.Slow > 0)
        {
            board.Advance(Stage.SendSlow);
            Stay(process, options.SlowLead);
        }
        double seconds = Stopwatch.GetElapsedTime(from).TotalSeconds;
        answers = load.AnswersSoFar - answers;
        connections = load.ConnectionsSoFar - connections;

        board.Advance(Stage.Signalled);
        long signalledAt = Stopwatch.GetTimestamp();
        process.Signal(options.Signal);
        bool exited = AwaitExit(process, signalledAt);
        board.Advance(Stage.Gone);
        if (exited)
        {
            // What is in flight towards a process that is gone ends at once, unless a successor holds the connection.
            load.Join(options.RequestLimit + options.ConnectLimit);
        }
        else
        {
            load.Join(LastChance);
        }
        board.Advance(Stage.Cut);
        if (!load.Join(TimeSpan.FromSeconds(10)))
        {
            throw new ProbeException("the clients did not end");
        }
        if (!exited)
        {
            // Only now, so that no request is counted as lost because of it.
            process.Signal(Libc.SIGKILL);
            process.WaitForExit(TimeSpan.FromSeconds(10));
        }
        process.FinishOutput();
        Tally tally = load.Tally();
        return new RunResult
        {
            Server = server.Label,
            Run = run,
            Port = plan.Port,
            Tally = tally,
            RequestsPerSecond = answers / seconds,
            ConnectionsPerSecond = connections / seconds,
            SignalToExitMilliseconds = Stopwatch.GetElapsedTime(signalledAt, process.ExitedAt).TotalMilliseconds,
            // A byte that a busy client read only after the exit had been sent before it.
            LastByteToExitMilliseconds = !exited || tally.LastByteAt == 0
                ? null
                : Math.Max(0, Stopwatch.GetElapsedTime(tally.LastByteAt, process.ExitedAt).TotalMilliseconds),
            Exit = process.Exit,
            KilledByProbe = !exited,
            Output = process.Output,
        };
    }

    private bool AwaitExit(ServerProcess process, long signalledAt)
    {
        if (options.SecondSignalAfter is TimeSpan after && after < options.Limit)
        {
            if (process.WaitForExit(after))
            {
                return true;
            }
            process.Signal(options.Signal);
        }
        TimeSpan left = options.Limit - Stopwatch.GetElapsedTime(signalledAt);
        return process.WaitForExit(left > TimeSpan.Zero ? left : TimeSpan.Zero);
    }

    private static void AwaitIdle(ServerProcess process, ILoad load)
    {
        long from = Stopwatch.GetTimestamp();
        while (load.IdleToOpen > 0)
        {
            if (Stopwatch.GetElapsedTime(from) > IdleOpenLimit)
            {
                throw new ProbeException($"{load.IdleToOpen} idle connections could not be opened within {IdleOpenLimit.TotalSeconds:0} s");
            }
            Stay(process, TimeSpan.FromMilliseconds(10));
        }
    }

    // A pause during which the server must not go away by itself.
    private static void Stay(ServerProcess process, TimeSpan time)
    {
        if (process.WaitForExit(time))
        {
            process.FinishOutput();
            throw new ProbeException($"the server exited ({process.Exit}) before it was signalled; it printed:\n{process.Output}");
        }
    }
}
