using Graceful.Tests.Support;

namespace Graceful.Tests.Stops;

/// <summary>The way out runs on the clock that the user sets, so that users' tests need not wait.</summary>
public sealed class OwnClock
{
    private readonly ManualTime _time = new();

    [Fact]
    public async Task The_lame_duck_ends_when_the_clock_says_so()
    {
        await using var app = await StartAsync(options => options.LameDuck = TimeSpan.FromMinutes(10));
        app.Graceful.Close();
        await app.Log.Until("to LameDuck after");
        await Limits.Until(() => _time.NextDue == TimeSpan.FromMinutes(10), "the end of the lame duck is due");
        _time.Advance(TimeSpan.FromMinutes(10) - TimeSpan.FromTicks(1));
        using (var client = await RawClient.ConnectAsync(app.Port))
        {
            Assert.True((await client.GetAsync("/")).IsTold);
        }

        Assert.False(app.Log.Has("to ClosingListeners after"));
        _time.Advance(TimeSpan.FromTicks(1));
        await app.Log.Until("to ClosingListeners after");
        var report = await app.ReportAsync();
        Assert.Equal(0, report.ExitCode);
        Assert.Equal(TimeSpan.FromMinutes(10), report.Stages[0].Duration);
    }

    [Fact]
    public async Task The_grace_period_ends_when_the_clock_says_so()
    {
        await using var app = await StartAsync(options => options.GracePeriod = TimeSpan.FromHours(1));
        using var client = await RawClient.ConnectAsync(app.Port);
        await client.SendGetAsync("/door");
        await app.Door.Reached();
        await app.BeginDrainAsync();
        _time.Advance(TimeSpan.FromMinutes(59));
        await Quiet.LessAsync();
        Assert.False(app.Graceful.Completion.IsCompleted);
        _time.Advance(TimeSpan.FromMinutes(1));
        var report = await app.ReportAsync();
        Assert.Equal((2, TimeSpan.FromHours(1)), (report.ExitCode, report.Duration));
        Assert.Equal(Ending.Reset, await client.EndAsync());
    }

    [Fact]
    public async Task A_hook_is_given_up_when_the_clock_says_so()
    {
        var door = new Door();
        await using var app = await StartAsync(options => options.OnStopping("stuck", TimeSpan.FromMinutes(5), (_, _) => door.PassAsync()));
        app.Graceful.Close();
        await door.Reached();
        await Limits.Until(() => _time.NextDue is not null, "the limit is due");
        _time.Advance(TimeSpan.FromMinutes(5));
        var report = await app.ReportAsync();
        door.Open();
        Assert.Equal("timed out", Assert.Single(report.Hooks).Outcome);
        Assert.Equal(TimeSpan.FromMinutes(5), report.Hooks[0].Duration);
    }

    private Task<TestApp> StartAsync(Action<GracefulOptions> configure) => TestApp.StartAsync(options =>
    {
        options.TimeProvider = _time;
        options.SettleTime = TimeSpan.Zero;
        options.GracePeriod = TimeSpan.FromHours(10);
        configure(options);
    });
}
