using System.Text.RegularExpressions;
using Graceful.Tests.Support;
using Microsoft.Extensions.Logging;

namespace Graceful.Tests.Observed;

public sealed partial class Reports
{
    [Fact]
    public async Task The_figures_add_up_and_the_stages_come_in_order()
    {
        await using var app = await TestApp.StartAsync(options =>
        {
            Quiet.Long(options);
            options.LameDuck = TimeSpan.FromMilliseconds(300);
            options.OnStopping("deregister", TimeSpan.FromSeconds(5), (_, _) => Task.CompletedTask);
            options.OnDrained("flush", TimeSpan.FromSeconds(5), (_, _) => Task.CompletedTask);
        });
        using var active = await RawClient.ConnectAsync(app.Port);
        await active.SendGetAsync("/door");
        using var comesBack = await RawClient.IdleAsync(app.Port);
        using var silent = await RawClient.IdleAsync(app.Port);
        using var leaves = await RawClient.IdleAsync(app.Port);
        await app.Door.Reached();
        await app.BeginDrainAsync();
        Assert.True((await comesBack.GetAsync("/")).IsTold);
        leaves.HalfClose();
        Assert.Equal(Ending.Fin, await leaves.EndAsync());
        await Task.Delay(1100);
        app.Door.Open();
        await active.ReadAsync();
        var report = await app.ReportAsync();
        Assert.Equal(["before-drain hooks", "lame duck", "closing listeners", "draining", "after-drain hooks"], report.Stages.Select(stage => stage.Name));
        Assert.Equal(report.Duration.TotalSeconds, report.Stages.Sum(stage => stage.Duration.TotalSeconds), 0.05);
        Assert.InRange(report.Stages[1].Duration.TotalSeconds, 0.29, 2);
        Assert.Equal(2, report.RequestsFinished);
        Assert.Equal(2, report.ConnectionsTold);
        Assert.Equal(3, report.ConnectionsClosed);
        Assert.Equal(0, report.ConnectionsAborted);
        Assert.Empty(report.Troubles);
        Assert.Empty(report.CutOff);
        var held = Assert.Single(report.WaitedFor);
        Assert.Equal(("GET", "/door"), (held.Method, held.Path));
        Assert.InRange(held.Age.TotalSeconds, 1, 10);
        Assert.Contains($"127.0.0.1:{app.Port}: ", Assert.Single(report.Listeners), StringComparison.Ordinal);
        Assert.Equal(0, report.ExitCode);
        Assert.Equal(StopCause.Requested, report.Reason.Cause);
    }

    [Fact]
    public async Task Its_text_is_in_the_log_once_and_reads_like_this()
    {
        await using var app = await TestApp.StartAsync(options =>
        {
            options.Intake = IntakeMethod.Unplug;
            options.OnDrained("flush", TimeSpan.FromSeconds(5), (_, _) => throw new InvalidOperationException("disk full"));
        });
        using var client = await RawClient.ConnectAsync(app.Port);
        await client.SendGetAsync("/door");
        await app.Door.Reached();
        await app.BeginDrainAsync();
        await Task.Delay(1100);
        app.Door.Open();
        await client.ReadAsync();
        var report = await app.ReportAsync();
        var entry = Assert.Single(app.Log.OfGraceful, entry => entry.Text.StartsWith("Left after", StringComparison.Ordinal));
        Assert.Equal((LogLevel.Warning, report.ToString()), (entry.Level, entry.Text));
        var text = Numbers().Replace(report.ToString(), "#");
        Assert.Equal(
            """
            Left after request of the application in #, exit code 1
              closing listeners   #
              draining            #
              after-drain hooks   #
              listener            127.0.0.1:#: unplugged, 0 accepted in the last call
              requests            1 finished on the way out
              connections         1 closed (1 told on their last response), 0 aborted
              hook                flush: failed (InvalidOperationException: disk full) after #
              waited for          GET /door, # old, connection #
            """.ReplaceLineEndings("\n"),
            text.ReplaceLineEndings("\n"));
    }

    [Theory]
    [InlineData(IntakeMethod.SynFilter, "SYN filter")]
    [InlineData(IntakeMethod.Unplug, "unplugged")]
    [InlineData(IntakeMethod.LastCall, "last call")]
    public async Task The_line_of_a_listener_says_what_kept_newcomers_out(IntakeMethod method, string text)
    {
        await using var app = await TestApp.StartAsync(options => options.Intake = method);
        var report = await app.LeaveAsync();
        var line = Assert.Single(report.Listeners);
        if (method == IntakeMethod.SynFilter && !Privilege.ToFilter)
        {
            Assert.StartsWith($"127.0.0.1:{app.Port}: last call, 0 accepted in the last call (SynFilter: ", line, StringComparison.Ordinal);
            return;
        }

        Assert.Equal($"127.0.0.1:{app.Port}: {text}, 0 accepted in the last call", line);
    }

    [Fact]
    public async Task The_outcome_is_told_whatever_its_exit_code_is()
    {
        await using var app = await TestApp.StartAsync(options =>
        {
            options.GracePeriod = TimeSpan.FromSeconds(1);
            options.ExitCodes.TimedOut = 0;
        });
        using var client = await RawClient.ConnectAsync(app.Port);
        await client.SendGetAsync("/door");
        await app.Door.Reached();
        var report = await app.LeaveAsync();
        Assert.Equal((ShutdownOutcome.TimedOut, 0, 1L), (report.Outcome, report.ExitCode, report.ConnectionsAborted));
        Assert.Equal(["forced: the grace period was over"], report.Troubles);
        Assert.Contains(", exit code 0\n", report.ToString().ReplaceLineEndings("\n"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Nobody_is_told_twice_and_nobody_is_told_who_was_cut_off()
    {
        await using var app = await TestApp.StartAsync(options => options.GracePeriod = TimeSpan.FromSeconds(1));
        using var client = await RawClient.ConnectAsync(app.Port);
        await app.BeginDrainAsync();
        await client.SendGetAsync("/late");
        Assert.True((await client.ReadHeadAsync()).IsTold);
        var report = await app.ReportAsync();
        Assert.Equal((2, 0L, 1L), (report.ExitCode, report.ConnectionsClosed, report.ConnectionsAborted));

        // Documented as some of the closed ones.
        Assert.Equal(0, report.ConnectionsTold);
    }

    [Fact]
    public async Task Nothing_is_logged_for_a_request_and_an_edge_is_logged_once()
    {
        await using var app = await TestApp.StartAsync();
        using var client = await RawClient.IdleAsync(app.Port);
        for (var i = 0; i < 20; i++)
        {
            Assert.Equal(200, (await client.GetAsync("/")).Status);
        }

        Assert.Empty(app.Log.OfGraceful);
        await app.LeaveAsync();
        await app.Log.Until("Leaving: ");
        var information = app.Log.OfGraceful.Where(entry => entry.Level >= LogLevel.Information).Select(entry => entry.Id.Id);
        Assert.Equal([1, 3], information.Order());
        var edges = app.Log.OfGraceful.Where(entry => entry.Id.Id == 2).Select(entry => entry.Text[..entry.Text.IndexOf(" after", StringComparison.Ordinal)]);
        Assert.Equal(["From Running to ClosingListeners", "From ClosingListeners to Draining", "From Draining to Exited"], edges);
    }

    [GeneratedRegex(@"\d+\.\d\d s|\d+ ms|(?<=127\.0\.0\.1:)\d+|(?<=connection )[0-9A-Z]{13}")]
    private static partial Regex Numbers();
}
