using System.Globalization;
using Spectre.Console;

namespace Graceful.Probe;

// What a person reads: a line per run while it goes on, and one table at the end.
internal sealed class TextReport(TextWriter writer, ProbeOptions options)
{
    // Wide enough for every column, where the output is no terminal that knows its own width.
    private const int WidthWithoutTerminal = 240;

    public void Run(RunResult run, int number, int of)
    {
        if (options.Quiet)
        {
            return;
        }
        int width = options.Servers.Max(server => server.Label.Length);
        Counts after = run.After;
        string before = run.Before.Failures == 0 ? "" : $" (before the signal: {Classes(run.Before)})";
        writer.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"[{number}/{of}] {run.Server.PadRight(width)}  {run.RequestsPerSecond:0} req/s {run.ConnectionsPerSecond:0} conn/s | after the signal: {Classes(after)}{before} | exit {ExitOf(run)} after {run.SignalToExitMilliseconds:0} ms, last byte {Milliseconds(run.LastByteToExitMilliseconds)}"));
        foreach ((string what, long count) in run.Tally.ProbeErrors)
        {
            writer.WriteLine(string.Create(CultureInfo.InvariantCulture, $"        probe error, not the server's: {what} x{count}"));
        }
    }

    public void Table(IReadOnlyList<ServerSummary> servers)
    {
        IAnsiConsole console = Console();
        Table table = new Table().Border(TableBorder.Rounded).ShowRowSeparators().Title("After the signal, all runs together");
        var columns = Columns(servers);
        foreach ((string title, _) in columns)
        {
            table.AddColumn(new TableColumn(new Text(title)).RightAligned().NoWrap());
        }
        table.Columns[0].Alignment = Justify.Left;
        foreach (ServerSummary server in servers)
        {
            table.AddRow([.. columns.Select(column => new Text(column.Cell(server)))]);
        }
        console.Write(table);
        foreach (ServerSummary server in servers.Where(server => server.Before.Failures > 0))
        {
            writer.WriteLine($"{server.Server.Label}: already before the signal: {Classes(server.Before)}");
        }
        foreach (ServerSummary server in servers.Where(server => server.Runs.Any(run => run.KilledByProbe)))
        {
            writer.WriteLine($"{server.Server.Label}: did not exit within {options.Limit.TotalSeconds:0.#} s and was killed, {server.Runs.Count(run => run.KilledByProbe)} times");
        }
        foreach (ServerSummary server in servers.Where(server => options.Slow > 0 && server.Runs.Count > 0))
        {
            if (server.Runs.Sum(run => run.SlowInFlightAtSignal) is var slow && slow < (long)options.Slow * server.Runs.Count)
            {
                writer.WriteLine($"{server.Server.Label}: only {slow} of {(long)options.Slow * server.Runs.Count} slow requests were in flight at the signal; is {options.SlowPath} slow?");
            }
        }
    }

    public void Output(IReadOnlyList<ServerSummary> servers)
    {
        foreach (ServerSummary server in servers.Where(server => server.Runs.Count > 0))
        {
            writer.WriteLine($"--- {server.Server.Label}, output of its last run ---");
            writer.WriteLine(server.Runs[^1].Output.TrimEnd());
        }
    }

    private static string ExitOf(RunResult run) => run.KilledByProbe ? "never (killed by the probe)" : run.Exit.ToString();

    private static string Classes(Counts counts)
    {
        var text = new List<string> { $"ok {counts[Outcome.Ok]}" };
        text.AddRange(counts.Statuses.Select(pair => $"{pair.Key}: {pair.Value}"));
        text.Add($"refused {counts[Outcome.Refused]}");
        AddIfAny("connect-timeout", Outcome.ConnectTimeout);
        text.Add($"closed-idle {counts[Outcome.ClosedIdle]}");
        text.Add($"lost-new {counts[Outcome.LostNew]}");
        text.Add($"lost-reused {counts[Outcome.LostReused]}");
        text.Add($"truncated {counts[Outcome.Truncated]}");
        AddIfAny("malformed", Outcome.Malformed);
        AddIfAny("unanswered", Outcome.Unanswered);
        AddIfAny("crossed", Outcome.Crossed);
        AddIfAny("unprocessed", Outcome.Unprocessed);
        return string.Join(", ", text);

        void AddIfAny(string name, Outcome outcome)
        {
            if (counts[outcome] > 0)
            {
                text.Add($"{name} {counts[outcome]}");
            }
        }
    }

    // Rare classes get a column only where there is something to show.
    private List<(string Title, Func<ServerSummary, string> Cell)> Columns(IReadOnlyList<ServerSummary> servers)
    {
        var columns = new List<(string, Func<ServerSummary, string>)>
        {
            ("server", s => s.Server.Label),
            ("runs", s => Number(s.Runs.Count)),
            ("ok", s => Number(s.After[Outcome.Ok])),
        };
        foreach (int status in servers.SelectMany(s => s.After.Statuses.Keys).Distinct().Order())
        {
            columns.Add((Number(status), s => Number(s.After.Statuses.GetValueOrDefault(status))));
        }
        Add("refused", Outcome.Refused, always: true);
        Add("connect-\ntimeout", Outcome.ConnectTimeout, always: false);
        Add("closed-\nidle", Outcome.ClosedIdle, always: true);
        Add("lost-\nnew", Outcome.LostNew, always: true);
        Add("lost-\nreused", Outcome.LostReused, always: true);
        Add("trun-\ncated", Outcome.Truncated, always: true);
        Add("mal-\nformed", Outcome.Malformed, always: false);
        Add("un-\nanswered", Outcome.Unanswered, always: true);
        Add("crossed", Outcome.Crossed, always: options.Protocol == Protocol.WebSocket);
        Add("un-\nprocessed", Outcome.Unprocessed, always: false);
        if (options.Protocol is Protocol.Http2 or Protocol.WebSocket)
        {
            columns.Add(("told", s => Number(s.After.ToldToClose)));
        }
        if (servers.Any(s => s.IdleFin + s.IdleReset + s.IdleOpen > 0))
        {
            columns.Add(("idle\nended", s => $"FIN {s.IdleFin}\nRST {s.IdleReset}\nopen {s.IdleOpen}"));
        }
        columns.Add(("signal to\nexit, ms", s => Three(s.SignalToExit)));
        columns.Add(("last byte to\nexit, ms", s => Three(s.LastByteToExit)));
        columns.Add(("exit", s => string.Join("\n", s.Exits.Select(pair => $"{pair.Key} x{pair.Value}"))));
        columns.Add(("runs that\nlost", s => Number(s.FailedRuns)));
        return columns;

        void Add(string title, Outcome outcome, bool always)
        {
            if (always || servers.Any(s => s.After[outcome] > 0))
            {
                columns.Add((title, s => Number(s.After[outcome])));
            }
        }
    }

    private IAnsiConsole Console()
    {
        bool terminal = options.Json == "-" ? !System.Console.IsErrorRedirected : !System.Console.IsOutputRedirected;
        IAnsiConsole console = AnsiConsole.Create(new AnsiConsoleSettings
        {
            Out = new AnsiConsoleOutput(writer),
            Ansi = terminal ? AnsiSupport.Detect : AnsiSupport.No,
        });
        if (!terminal)
        {
            console.Profile.Width = WidthWithoutTerminal;
        }
        return console;
    }

    private static string Number(long number) => number.ToString(CultureInfo.InvariantCulture);

    private static string Milliseconds(double? value) =>
        value is double number ? string.Create(CultureInfo.InvariantCulture, $"{number:0.0} ms before") : "never";

    private static string Three(Spread? spread) =>
        spread is null ? "-" : string.Create(CultureInfo.InvariantCulture, $"min {spread.Min:0.0}\nmedian {spread.Median:0.0}\nmax {spread.Max:0.0}");
}
