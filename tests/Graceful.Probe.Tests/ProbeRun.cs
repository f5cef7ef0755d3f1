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

    // What the server itself says that it did, by act and New or Reused.
    public long Booked(params string[] entries)
    {
        string ledger = Output.Split('\n').Single(line => line.StartsWith("ledger ", StringComparison.Ordinal));
        return ledger.Split(' ').Skip(1).Select(entry => entry.Trim().Split('='))
            .Where(entry => entries.Contains(entry[0]))
            .Sum(entry => long.Parse(entry[1], CultureInfo.InvariantCulture));
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
