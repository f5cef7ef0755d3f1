using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using Xunit;

namespace Graceful.Probe.Tests;

// One run of the real probe, as a process of its own, against the rude server.
internal sealed class ProbeRun
{
    private static readonly TimeSpan Bound = TimeSpan.FromSeconds(40);

    private ProbeRun(int status, string output, string error, JsonElement json)
    {
        Status = status;
        Output = output;
        Error = error;
        Json = json;
    }

    public int Status { get; }

    public string Output { get; }

    public string Error { get; }

    // Undefined when the probe wrote none.
    public JsonElement Json { get; }

    public JsonElement OnlyRun => Server(0).GetProperty("runs")[0];

    // A command for --server; the settings are the rude server's.
    public static string RudeServer(string settings) =>
        $"dotnet '{Path.Combine(AppContext.BaseDirectory, "Graceful.Probe.RudeServer.dll")}' port={{port}} {settings}";

    // One short run against one rude server.
    public static Task<ProbeRun> Against(string settings, params string[] options) =>
        Start([
            "--server", RudeServer(settings), "--warm-up", "50ms", "--show-output",
            .. options.Contains("--load") ? [] : (string[])["--load", "150ms"],
            .. options.Contains("--slow-lead") ? [] : (string[])["--slow-lead", "50ms"], .. options,
        ]);

    public static async Task<ProbeRun> Start(params string[] args)
    {
        string file = Path.GetTempFileName();
        try
        {
            var start = new ProcessStartInfo("dotnet") { RedirectStandardOutput = true, RedirectStandardError = true };
            start.ArgumentList.Add(Path.Combine(AppContext.BaseDirectory, "Graceful.Probe.dll"));
            // In front, since everything after -- belongs to the server.
            string[] json = args.Contains("--json") || args.Length == 0 || args.Contains("--help") ? [] : ["--json", file];
            foreach (string arg in (string[])[.. json, .. args])
            {
                start.ArgumentList.Add(arg);
            }
            using Process process = Process.Start(start)!;
            using var limit = new CancellationTokenSource(Bound);
            try
            {
                Task<string> output = process.StandardOutput.ReadToEndAsync(limit.Token);
                Task<string> error = process.StandardError.ReadToEndAsync(limit.Token);
                await process.WaitForExitAsync(limit.Token);
                string text = await File.ReadAllTextAsync(file, limit.Token);
                JsonElement parsed = text.Length > 0 ? JsonDocument.Parse(text).RootElement.Clone() : default;
                return new ProbeRun(process.ExitCode, await output, await error, parsed);
            }
            finally
            {
                if (!process.HasExited)
                {
                    process.Kill(entireProcessTree: true);
                }
            }
        }
        finally
        {
            File.Delete(file);
        }
    }

    public JsonElement Server(int index) => Json.GetProperty("servers")[index];

    // A class after the signal, of all clients.
    public long After(string outcome) => OnlyRun.GetProperty("after").GetProperty(outcome).GetInt64();

    // A class after the signal, of one kind of client.
    public long After(string clients, string outcome) =>
        OnlyRun.GetProperty("clients").GetProperty(clients).GetProperty("after").GetProperty(outcome).GetInt64();

    // A class in the whole run.
    public long Ever(string outcome) => After(outcome) + OnlyRun.GetProperty("before").GetProperty(outcome).GetInt64();

    public long Idle(string end) => OnlyRun.GetProperty("idle").GetProperty(end).GetInt64();

    public string? Exit(string part) => OnlyRun.GetProperty("exit").GetProperty(part) is var value && value.ValueKind == JsonValueKind.Null
        ? null
        : value.ToString();

    // How many requests the server says it did something to.
    public long BookedAct(string act) => Book.Where(entry => entry.Act == act).Sum(entry => entry.Count);

    // Of how many the server says that this became of them.
    public long Booked(string fate) => Book.Where(entry => entry.Fate == fate).Sum(entry => entry.Count);

    private IEnumerable<(string Act, string Fate, long Count)> Book =>
        from entry in Output.Split('\n').Single(line => line.StartsWith("ledger ", StringComparison.Ordinal)).Split(' ').Skip(1)
        let words = entry.Trim().Split(':', '=')
        select (words[0], words[1], long.Parse(words[2], CultureInfo.InvariantCulture));

    // The whole run, outcome by outcome.
    public void AgreesWithTheServersBook()
    {
        foreach (string fate in (string[])["LostNew", "LostReused", "Truncated", "Malformed", "OtherStatus", "Crossed", "Unprocessed", "Unanswered"])
        {
            Assert.True(Booked(fate) == Ever(JsonNamingPolicy.CamelCase.ConvertName(fate)), $"{fate} is {Booked(fate)} in the server's book\n{Output}\n{Error}");
        }
        // One answer was the probe's own question whether the server is up.
        Assert.True(Booked("Ok") - 1 == Ever("ok"), $"Ok is {Booked("Ok")} in the server's book\n{Output}\n{Error}");
        Assert.Equal(0, Ever("connectTimeout"));
        Assert.Empty(OnlyRun.GetProperty("probeErrors").EnumerateObject());
    }

    public void NothingFailedExcept(params string[] outcomes)
    {
        foreach (string outcome in (string[])["lostNew", "lostReused", "truncated", "malformed", "unanswered", "otherStatus", "connectTimeout"])
        {
            Assert.True(outcomes.Contains(outcome) || Ever(outcome) == 0, $"{outcome} is {Ever(outcome)}\n{Output}\n{Error}");
        }
        Assert.Empty(OnlyRun.GetProperty("probeErrors").EnumerateObject());
    }
}
