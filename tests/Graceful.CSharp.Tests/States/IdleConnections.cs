using Graceful.Tests.Support;

namespace Graceful.Tests.States;

public sealed class IdleConnections
{
    [Fact]
    public async Task A_request_that_comes_within_the_quiet_period_is_served_and_told()
    {
        await using var app = await TestApp.StartAsync(Quiet.Long);
        using var client = await RawClient.IdleAsync(app.Port);
        await app.BeginDrainAsync();
        await Quiet.LessAsync();
        var response = await client.GetAsync("/");
        Assert.Equal(200, response.Status);
        Assert.True(response.IsTold);
        Assert.Equal(Ending.Fin, await client.EndAsync());
        Assert.Equal(0, (await app.ReportAsync()).ExitCode);
    }

    [Fact]
    public async Task One_that_stays_silent_ends_after_the_quiet_period()
    {
        await using var app = await TestApp.StartAsync(options => options.SettleTime = TimeSpan.Zero);
        using var client = await RawClient.IdleAsync(app.Port);
        var report = await app.LeaveAsync();
        Assert.Equal(Ending.Fin, await client.EndAsync());
        Assert.Equal(0, report.ExitCode);
        Assert.InRange(report.Duration.TotalSeconds, 0.4, 2);
    }

    [Fact]
    public async Task One_that_was_quiet_long_enough_before_ends_at_once()
    {
        await using var app = await TestApp.StartAsync(options => options.QuietPeriod = TimeSpan.FromSeconds(3));
        using var client = await RawClient.IdleAsync(app.Port);
        await Task.Delay(3100);
        var report = await app.LeaveAsync();
        Assert.Equal(Ending.Fin, await client.EndAsync());
        Assert.Equal(0, report.ExitCode);

        // Far below the quiet period, which is not waited for a second time.
        Assert.InRange(report.Duration.TotalSeconds, 0, 1.5);
        Assert.Equal((0, 0, 1), (report.RequestsFinished, report.ConnectionsTold, report.ConnectionsClosed));
    }

    [Fact]
    public async Task Listeners_that_take_their_time_do_not_keep_the_quiet_ones_waiting()
    {
        await using var app = await TestApp.StartAsync(options => options.SettleTime = TimeSpan.FromSeconds(5));
        using var client = await RawClient.IdleAsync(app.Port);
        app.Graceful.Close();
        Assert.Equal(Ending.Fin, await client.EndAsync());
        Assert.False(app.Log.Has("to Draining after"));
        var report = await app.ReportAsync();
        Assert.Equal((0, 1), (report.ExitCode, report.ConnectionsClosed));
    }

    [Fact]
    public async Task Nobody_there_is_nobody_waited_for()
    {
        await using var app = await TestApp.StartAsync(options => options.QuietPeriod = TimeSpan.FromSeconds(30));
        var report = await app.LeaveAsync();
        Assert.Equal(0, report.ExitCode);
        Assert.InRange(report.Duration.TotalSeconds, 0, 2);
    }

    [Fact]
    public async Task A_client_that_closes_by_itself_is_not_waited_for()
    {
        await using var app = await TestApp.StartAsync(options => options.QuietPeriod = TimeSpan.FromSeconds(30));
        using var client = await RawClient.IdleAsync(app.Port);
        await app.BeginDrainAsync();
        client.HalfClose();
        Assert.Equal(Ending.Fin, await client.EndAsync());
        var report = await app.ReportAsync();
        Assert.Equal(0, report.ExitCode);
        Assert.InRange(report.Duration.TotalSeconds, 0, 5);
    }

    [Fact]
    public async Task Many_idle_ones_all_end()
    {
        await using var app = await TestApp.StartAsync();
        var clients = await Task.WhenAll(Enumerable.Range(0, 200).Select(_ => RawClient.IdleAsync(app.Port)));
        var report = await app.LeaveAsync();
        foreach (var client in clients)
        {
            Assert.Equal(Ending.Fin, await client.EndAsync());
            client.Dispose();
        }

        Assert.Equal((0, 200L, 0L), (report.ExitCode, report.ConnectionsClosed, report.ConnectionsAborted));
        Assert.InRange(report.Duration.TotalSeconds, 0, 4);
    }
}
