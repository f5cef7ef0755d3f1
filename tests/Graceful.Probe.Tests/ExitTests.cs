using Xunit;

namespace Graceful.Probe.Tests;

// How servers end, and what the probe's own exit status says about it.
public sealed class ExitTests
{
    private static readonly string[] Few = ["--keep-alive", "2", "--connect", "0", "--think", "5ms"];

    [Theory]
    [InlineData(7)]
    [InlineData(143)]
    public async Task The_servers_exit_code_is_shown(int code)
    {
        ProbeRun run = await ProbeRun.Against($"clients=2 exit={code}", Few);
        Assert.Equal(0, run.Status);
        Assert.Equal($"{code}", run.Exit("code"));
        Assert.Null(run.Exit("signal"));
        Assert.Contains($"{code} x1", run.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_server_killed_by_the_signal_is_not_one_that_exited_with_143()
    {
        ProbeRun run = await ProbeRun.Against("on-signal=default", "--keep-alive", "0", "--connect", "0");
        Assert.Null(run.Exit("code"));
        Assert.Equal("SIGTERM", run.Exit("signal"));
        Assert.Contains("killed by SIGTERM", run.Output, StringComparison.Ordinal);
        Assert.Equal(0, run.Status);
    }

    [Fact]
    public async Task A_server_killed_in_the_middle_of_slow_requests_loses_just_these()
    {
        ProbeRun run = await ProbeRun.Against(
            "on-signal=default", "--keep-alive", "0", "--connect", "0", "--slow", "3", "--slow-path", "/slow?ms=5000", "--slow-lead", "140ms", "--signal", "KILL");
        Assert.Equal(1, run.Status);
        Assert.Equal(3, run.After("slow", "lostNew"));
        Assert.Equal("SIGKILL", run.Exit("signal"));
        run.NothingFailedExcept("lostNew");
    }

    [Fact]
    public async Task A_server_that_will_not_go_is_killed_and_the_requests_are_not_counted_as_lost()
    {
        ProbeRun run = await ProbeRun.Against("on-signal=ignore", [.. Few, "--idle", "3", "--limit", "400ms"]);
        Assert.Equal(1, run.Status);
        Assert.Equal("True", run.Exit("killedByProbe"));
        Assert.Contains("killed by the probe x1", run.Output, StringComparison.Ordinal);
        Assert.Contains("did not exit within 0.4 s", run.Output, StringComparison.Ordinal);
        Assert.True(run.After("ok") > 0);
        Assert.Equal(3, run.Idle("open"));
        run.NothingFailedExcept();
    }

    [Fact]
    public async Task A_second_signal_is_sent_when_asked_for()
    {
        ProbeRun run = await ProbeRun.Against("clients=2 on-signal=second", [.. Few, "--second-signal-after", "300ms"]);
        Assert.Equal(0, run.Status);
        Assert.Equal("0", run.Exit("code"));
        Assert.InRange(run.OnlyRun.GetProperty("signalToExitMs").GetDouble(), 300, 5000);
    }

    [Fact]
    public async Task Only_the_losses_of_servers_expected_to_be_clean_decide()
    {
        string[] both =
        [
            "--server", "polite=" + ProbeRun.RudeServer("clients=2"), "--server", "rude=" + ProbeRun.RudeServer("clients=2 finally=Reset"),
            "--runs", "2", "--warm-up", "30ms", "--load", "100ms", .. Few,
        ];
        ProbeRun all = await ProbeRun.Start(both);
        Assert.Equal(1, all.Status);
        ProbeRun polite = await ProbeRun.Start([.. both, "--expect-clean", "polite"]);
        Assert.Equal(0, polite.Status);
        ProbeRun rude = await ProbeRun.Start([.. both, "--expect-clean", "rude"]);
        Assert.Equal(1, rude.Status);

        // Paired, in an order that turns; one row for each in the table.
        string[] lines = [.. polite.Output.Split('\n').Where(line => line.StartsWith('[')).Select(line => line.Split(' ')[1])];
        Assert.Equal(["polite", "rude", "rude", "polite"], lines);
        Assert.Equal(2, polite.Server(0).GetProperty("runs").GetArrayLength());
        Assert.Equal(4, polite.Server(1).GetProperty("totals").GetProperty("after").GetProperty("lostReused").GetInt64());
        Assert.Equal(2, polite.Server(1).GetProperty("totals").GetProperty("failedRuns").GetInt32());
        Assert.Equal(0, polite.Server(0).GetProperty("totals").GetProperty("failedRuns").GetInt32());
    }

    [Fact]
    public async Task A_server_that_never_comes_up_is_status_2()
    {
        ProbeRun exits = await ProbeRun.Start("--server", ProbeRun.RudeServer("on-signal=never-up"));
        Assert.Equal(2, exits.Status);
        Assert.Contains("the server exited (3) before it answered", exits.Error, StringComparison.Ordinal);
        Assert.Contains("I will not come up.", exits.Error, StringComparison.Ordinal);

        ProbeRun deaf = await ProbeRun.Start("--server", ProbeRun.RudeServer("listen=no"), "--ready-limit", "500ms");
        Assert.Equal(2, deaf.Status);
        Assert.Contains("did not answer", deaf.Error, StringComparison.Ordinal);

        ProbeRun absent = await ProbeRun.Start("--", "/nowhere/no-such-server", "{port}");
        Assert.Equal(2, absent.Status);
        Assert.Contains("'/nowhere/no-such-server' cannot be started: ENOENT", absent.Error, StringComparison.Ordinal);
        Assert.Equal(2, absent.Json.GetProperty("exitStatus").GetInt32());
    }

    [Fact]
    public async Task A_server_that_leaves_before_the_signal_is_status_2()
    {
        // `timeout` is the server here, and ends the real one too early.
        ProbeRun run = await ProbeRun.Start("--server", $"timeout 1 {ProbeRun.RudeServer("on-signal=default")}", "--load", "20s", "--keep-alive", "1", "--connect", "0");
        Assert.Equal(2, run.Status);
        Assert.Contains("before it was signalled", run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void An_error_of_the_probe_itself_is_status_2_and_no_loss_of_the_servers()
    {
        ProbeOptions options = CommandLine.Read(["--", "server", "{port}"], out _)!;
        var tally = new Tally();
        tally.CountProbeError("connect: EADDRNOTAVAIL");
        var comparison = new Comparison(options, new TextReport(TextWriter.Null, options));
        comparison.Add(new RunResult
        {
            Server = "server",
            Run = 1,
            Port = 1,
            Tally = tally,
            RequestsPerSecond = 0,
            ConnectionsPerSecond = 0,
            SignalToExitMilliseconds = 0,
            LastByteToExitMilliseconds = null,
            Exit = new ServerExit(0, null),
            KilledByProbe = false,
            Output = "",
        });
        Assert.Equal(2, comparison.ExitStatus);
        Assert.Equal(0, comparison.Summaries[0].FailedRuns);
    }
}
