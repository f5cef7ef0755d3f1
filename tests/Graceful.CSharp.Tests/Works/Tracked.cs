using Graceful.Tests.Support;

namespace Graceful.Tests.Works;

public sealed class Tracked
{
    [Fact]
    public async Task What_goes_on_is_readable_the_oldest_first()
    {
        await using var app = await TestApp.StartAsync();
        using var first = app.Graceful.Begin("first");
        await Limits.Until(() => app.Graceful.Work[0].Age > TimeSpan.FromMilliseconds(50), "the first is older");
        using (app.Graceful.Begin("second"))
        {
            Assert.Equal(["first", "second"], app.Graceful.Work.Select(work => work.Name));
        }

        Assert.Equal("first", Assert.Single(app.Graceful.Work).Name);
    }

    [Fact]
    public async Task A_task_is_tracked_from_the_call_to_its_end_and_gives_its_result()
    {
        await using var app = await TestApp.StartAsync();
        var door = new Door();
        var task = app.Graceful.Run("task", async _ =>
        {
            await door.PassAsync();
            return 42;
        });
        Assert.Equal("task", Assert.Single(app.Graceful.Work).Name);
        await app.BeginDrainAsync();
        Assert.False(app.Graceful.Completion.IsCompleted);
        door.Open();
        Assert.Equal(42, await task);
        var report = await app.ReportAsync();
        Assert.Equal((0, 1), (report.ExitCode, report.WorkFinished));
    }

    [Fact]
    public async Task A_task_that_fails_is_over_and_its_error_is_the_callers()
    {
        await using var app = await TestApp.StartAsync();
        var broken = app.Graceful.Run("broken", Task (_) => throw new InvalidOperationException("no index"));
        Assert.Equal("no index", (await Assert.ThrowsAsync<InvalidOperationException>(() => broken)).Message);
        Assert.Empty(app.Graceful.Work);
        Assert.Equal(0, (await app.LeaveAsync()).ExitCode);
    }

    [Fact]
    public async Task A_task_is_told_when_it_is_over()
    {
        await using var app = await TestApp.StartAsync(options => options.GracePeriod = TimeSpan.FromSeconds(5));
        Assert.Null(app.Graceful.TimeLeft);
        var task = app.Graceful.Run("endless", aborting => Task.Delay(Timeout.Infinite, aborting));
        await app.BeginDrainAsync();
        Assert.InRange(app.Graceful.TimeLeft!.Value, TimeSpan.Zero, TimeSpan.FromSeconds(5));
        Assert.False(app.Graceful.Aborting.IsCancellationRequested);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => task);
        Assert.True(app.Graceful.Aborting.IsCancellationRequested);
        var report = await app.ReportAsync();
        Assert.Equal((2, "endless"), (report.ExitCode, Assert.Single(report.WorkCutOff).Name));
        Assert.Equal(TimeSpan.Zero, app.Graceful.TimeLeft);
    }

    [Fact]
    public async Task Nobody_is_aborted_by_a_clean_exit()
    {
        await using var app = await TestApp.StartAsync();
        await app.LeaveAsync();
        Assert.False(app.Graceful.Aborting.IsCancellationRequested);
    }

    [Fact]
    public async Task Bad_work_is_refused()
    {
        await using var app = await TestApp.StartAsync();
        foreach (var name in (string?[])[null, "", "  "])
        {
            Assert.ThrowsAny<ArgumentException>(() => app.Graceful.Begin(name!));
            Assert.ThrowsAny<ArgumentException>(() => { _ = app.Graceful.Run(name!, _ => Task.CompletedTask); });
        }

        Assert.Throws<ArgumentNullException>(() => { _ = app.Graceful.Run("work", null!); });
        Assert.Empty(app.Graceful.Work);
    }
}
