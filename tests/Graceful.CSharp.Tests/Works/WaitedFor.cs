using Graceful.Tests.Support;

namespace Graceful.Tests.Works;

public sealed class WaitedFor
{
    [Fact]
    public async Task The_drain_waits_for_work_without_any_connection()
    {
        await using var app = await TestApp.StartAsync();
        var work = app.Graceful.Begin("import");
        await app.BeginDrainAsync();
        await Quiet.LessAsync();
        Assert.False(app.Graceful.Completion.IsCompleted);
        work.Dispose();
        var report = await app.ReportAsync();
        Assert.Equal((0, 1, 0), (report.ExitCode, report.WorkFinished, report.RequestsFinished));
        Assert.Contains("work                1 finished on the way out", report.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Also_for_work_that_begins_during_the_drain()
    {
        await using var app = await TestApp.StartAsync();
        var first = app.Graceful.Begin("first");
        await app.BeginDrainAsync();
        var second = app.Graceful.Begin("second");
        first.Dispose();
        await Quiet.LessAsync();
        Assert.False(app.Graceful.Completion.IsCompleted);
        second.Dispose();
        var report = await app.ReportAsync();
        Assert.Equal((0, 2), (report.ExitCode, report.WorkFinished));
    }

    [Fact]
    public async Task A_second_dispose_is_nobody_elses()
    {
        await using var app = await TestApp.StartAsync();
        var twice = app.Graceful.Begin("twice");
        using var other = app.Graceful.Begin("other");
        twice.Dispose();
        twice.Dispose();
        await app.BeginDrainAsync();
        twice.Dispose();
        await Quiet.LessAsync();
        Assert.False(app.Graceful.Completion.IsCompleted);
        other.Dispose();
        var report = await app.ReportAsync();
        Assert.Equal((0, 1), (report.ExitCode, report.WorkFinished));
    }

    [Fact]
    public async Task Work_that_never_ends_is_cut_off_and_named_with_its_age()
    {
        await using var app = await TestApp.StartAsync(options => options.GracePeriod = TimeSpan.FromSeconds(1));
        using var stuck = app.Graceful.Begin("rebuild the index");
        var report = await app.LeaveAsync();
        Assert.Equal(2, report.ExitCode);
        var held = Assert.Single(report.WorkCutOff);
        Assert.Equal("rebuild the index", held.Name);
        Assert.InRange(held.Age.TotalSeconds, 0.9, 30);
        Assert.Contains("cut off work        rebuild the index, ", report.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Work_that_ends_after_it_was_cut_off_is_not_called_finished()
    {
        Task task = Task.CompletedTask;
        await using var app = await TestApp.StartAsync(options =>
        {
            options.GracePeriod = TimeSpan.FromSeconds(1);
            options.OnDrained("wait", TimeSpan.FromSeconds(10), (_, _) => task.ContinueWith(_ => { }, TaskScheduler.Default));
        });
        task = app.Graceful.Run("late", aborting => Task.Delay(Timeout.Infinite, aborting));
        var report = await app.LeaveAsync();
        Assert.True(task.IsCanceled);
        Assert.Equal(("late", 0), (Assert.Single(report.WorkCutOff).Name, report.WorkFinished));
        Assert.Empty(report.WorkWaitedFor);
    }

    [Fact]
    public async Task Work_that_took_long_is_named()
    {
        await using var app = await TestApp.StartAsync();
        var work = app.Graceful.Begin("slow");
        await app.BeginDrainAsync();
        await Limits.Until(() => app.Graceful.Work[0].Age > TimeSpan.FromSeconds(1.1), "the work is old");
        work.Dispose();
        var report = await app.ReportAsync();
        Assert.Equal("slow", Assert.Single(report.WorkWaitedFor).Name);
        Assert.Empty(report.WorkCutOff);
    }

    [Fact]
    public async Task Work_after_the_end_is_nobodys()
    {
        await using var app = await TestApp.StartAsync();
        var report = await app.LeaveAsync();
        app.Graceful.Begin("late").Dispose();
        Assert.Equal(7, await app.Graceful.Run("later", _ => Task.FromResult(7)));
        Assert.Empty(app.Graceful.Work);
        Assert.Equal((0, 0), (report.ExitCode, report.WorkFinished));
    }
}
