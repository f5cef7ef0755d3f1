using Graceful.Engine;
using Graceful.Tests.Support;
using Microsoft.Extensions.DependencyInjection;

namespace Graceful.Tests.Drains;

/// <summary>What each mode means to a client, and to the way out.</summary>
public sealed class Modes
{
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Who_must_finish_is_waited_for_and_who_was_told_is_let_go_when_it_has_left(bool http2)
    {
        await using var held = await Held.StartAsync(http2);
        var told = await held.SendAsync("/told");
        var must = await held.SendAsync("/must");
        await held.App.BeginDrainAsync();
        await Task.Delay(500);
        Assert.False(told.IsCompleted, "It is cut off while another request must finish.");
        Assert.False(must.IsCompleted);
        held.OpenMust();
        Assert.Equal("at rest", await must.Soon());
        var clock = System.Diagnostics.Stopwatch.StartNew();
        await Held.MustBeCutOffAsync(told);
        var report = await held.App.ReportAsync();
        Assert.InRange(clock.Elapsed.TotalSeconds, 0, 5);
        Assert.Equal((0, 1, 1, 0), (report.ExitCode, report.RequestsFinished, report.RequestsLetGo, report.ConnectionsAborted));
        Assert.Equal("/told", Assert.Single(report.LetGo).Path);
        Assert.Empty(report.CutOff);
        Assert.Empty(report.Troubles);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Who_was_told_is_waited_for_while_tracked_work_goes_on(bool http2)
    {
        await using var held = await Held.StartAsync(http2);
        var told = await held.SendAsync("/told");
        using (held.App.Graceful.Begin("import"))
        {
            await held.App.BeginDrainAsync();
            await Task.Delay(500);
            Assert.False(told.IsCompleted, "It is cut off while work must finish.");
        }

        await Held.MustBeCutOffAsync(told);
        var report = await held.App.ReportAsync();
        Assert.Equal((0, 1), (report.ExitCode, report.RequestsLetGo));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Who_was_told_has_the_quiet_period_and_whoever_listens_finishes_in_it(bool http2)
    {
        await using var held = await Held.StartAsync(http2, options => options.QuietPeriod = TimeSpan.FromSeconds(1));
        var told = await held.SendAsync("/told");
        var listening = await held.SendAsync("/listening");
        var report = await held.App.LeaveAsync();
        Assert.Equal("as you wish", await listening.Soon());
        await Held.MustBeCutOffAsync(told);
        Assert.InRange(report.Duration.TotalSeconds, 1, 10);
        Assert.Equal((0, 1), (report.ExitCode, report.RequestsLetGo));
        Assert.InRange(Assert.Single(report.LetGo).Age.TotalSeconds, 0.9, 10);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task What_may_be_aborted_is_aborted_at_once_and_its_neighbours_are_not(bool http2)
    {
        await using var held = await Held.StartAsync(http2);
        var first = await held.SendAsync("/must");
        var abort = await held.SendAsync("/abort");
        var second = await held.SendAsync("/must");
        held.App.Graceful.Close();
        await Held.MustBeCutOffAsync(abort);
        await Quiet.LessAsync();
        Assert.False(first.IsCompleted || second.IsCompleted);
        Assert.False(held.App.Graceful.Completion.IsCompleted);
        held.Open();
        Assert.Equal(("at rest", "at rest"), (await first.Soon(), await second.Soon()));
        var report = await held.App.ReportAsync();
        Assert.Equal((0, 2, 1), (report.ExitCode, report.RequestsFinished, report.RequestsLetGo));
        Assert.Equal("/abort", Assert.Single(report.LetGo).Path);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_limit_is_kept_by_the_one_that_has_it_alone(bool http2)
    {
        await using var held = await Held.StartAsync(http2);
        var second = await held.SendAsync("/second");
        var day = await held.SendAsync("/day");
        var told = await held.SendAsync("/told");
        await held.App.BeginDrainAsync();
        await Quiet.LessAsync();
        Assert.False(second.IsCompleted, "It is cut off before its second is over.");
        await Held.MustBeCutOffAsync(second);
        await Quiet.LessAsync();
        Assert.False(day.IsCompleted || told.IsCompleted);
        held.Open();
        Assert.Equal(("at rest", "at rest"), (await day.Soon(), await told.Soon()));
        var report = await held.App.ReportAsync();
        Assert.Equal((0, 2, 1), (report.ExitCode, report.RequestsFinished, report.RequestsLetGo));
        Assert.InRange(Assert.Single(report.LetGo).Age.TotalSeconds, 0.9, 10);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_probe_counts_for_nothing(bool http2)
    {
        await using var held = await Held.StartAsync(http2, options => options.QuietPeriod = TimeSpan.FromMinutes(1));
        var engine = held.App.Services.GetRequiredService<LifecycleEngine>();
        var must = await held.SendAsync("/must");
        var probe = await held.SendAsync("/probe");
        Assert.Equal(1, engine.RequestsInFlight);
        held.OpenMust();
        Assert.Equal("at rest", await must.Soon());
        await Limits.Until(() => engine.RequestsInFlight == 0, "nothing is in flight");
        using var work = held.App.Graceful.Begin("import");
        await held.App.BeginDrainAsync();
        await Quiet.LessAsync();
        Assert.False(probe.IsCompleted);
        work.Dispose();
        await Held.MustBeCutOffAsync(probe);
        held.CloseIdle();
        var report = await held.App.ReportAsync();
        Assert.Equal((0, 0, 0), (report.ExitCode, report.RequestsFinished, report.RequestsLetGo));
        Assert.Empty(report.LetGo);
        Assert.DoesNotContain("let go", report.ToString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Who_does_not_hear_that_it_is_cut_off_is_given_up(bool http2)
    {
        await using var held = await Held.StartAsync(http2);
        var deaf = await held.SendAsync("/deaf");
        var must = await held.SendAsync("/must");
        held.App.Graceful.Close();
        await Held.MustBeCutOffAsync(deaf);
        await Quiet.LessAsync();
        Assert.False(must.IsCompleted);
        held.OpenMust();
        Assert.Equal("at rest", await must.Soon());
        var clock = System.Diagnostics.Stopwatch.StartNew();
        var report = await held.App.ReportAsync();
        await held.App.Host.StopAsync(TestContext.Current.CancellationToken).Soon("The stop of the host");
        Assert.InRange(clock.Elapsed.TotalSeconds, 0, 10);
        Assert.Equal((0, 1, 1, 0), (report.ExitCode, report.RequestsFinished, report.RequestsLetGo, report.ConnectionsAborted));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Requests_that_end_by_themselves_as_they_are_cut_off_take_no_neighbour_with_them(bool http2)
    {
        await using var held = await Held.StartAsync(http2);
        var (must, brief) = (new List<Task<string>>(), new List<Task<string>>());
        for (var i = 0; i < 30; i++)
        {
            must.Add(await held.SendAsync("/must"));
            brief.Add(await held.SendAsync("/brief"));
        }

        await held.App.BeginDrainAsync();
        await Task.WhenAll(brief).ContinueWith(_ => { }, TaskScheduler.Default).Soon("The end of those that may be aborted");
        await Quiet.LessAsync();
        Assert.DoesNotContain(must, answer => answer.IsCompleted);
        held.OpenMust();
        foreach (var answer in must)
        {
            Assert.Equal("at rest", await answer.Soon());
        }

        var report = await held.App.ReportAsync();
        Assert.Equal((0, 0), (report.ExitCode, report.ConnectionsAborted));
        Assert.InRange(report.RequestsLetGo, brief.Count(answer => !answer.IsCompletedSuccessfully), 30);
        Assert.InRange(report.RequestsFinished + report.RequestsLetGo, 30, 60);
    }

    [Fact]
    public async Task When_the_stop_is_forced_who_was_let_go_is_not_cut_off_once_more()
    {
        await using var held = await Held.StartAsync(http2: true, options => options.GracePeriod = TimeSpan.FromSeconds(1));
        var deaf = await held.SendAsync("/deaf");
        var must = await held.SendAsync("/must");
        var report = await held.App.LeaveAsync();
        await Held.MustBeCutOffAsync(deaf);
        await Held.MustBeCutOffAsync(must);
        Assert.Equal((2, 1, 1), (report.ExitCode, report.RequestsLetGo, report.ConnectionsAborted));
        Assert.Equal("/must", Assert.Single(report.CutOff).Path);
        Assert.Equal("/deaf", Assert.Single(report.LetGo).Path);
    }
}
