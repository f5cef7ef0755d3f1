using Graceful.Tests.Support;

namespace Graceful.Tests.Stops;

public sealed class WhoAsked
{
    [Fact]
    public async Task Whoever_asks_first_is_the_reason_in_hooks_log_and_report()
    {
        StopReason heard = default;
        await using var app = await TestApp.StartAsync(options => options.OnStopping("hear", TimeSpan.FromSeconds(5), (reason, _) =>
        {
            heard = reason;
            return Task.CompletedTask;
        }));
        Assert.True(app.Graceful.Close("the admin page"));
        Assert.False(app.Graceful.Close("somebody else"));
        Assert.False(await app.Graceful.CloseAsync("and another", TestContext.Current.CancellationToken));
        var report = await app.ReportAsync();
        Assert.Equal(new StopReason(StopCause.Requested, Who: "the admin page"), report.Reason);
        Assert.Equal(report.Reason, heard);
        Assert.True(app.Log.Has("Leaving: request of the admin page"));
    }

    [Fact]
    public async Task Whoever_does_not_say_so_is_the_application()
    {
        await using var app = await TestApp.StartAsync();
        Assert.ThrowsAny<ArgumentException>(() => app.Graceful.Close(" "));
        Assert.False(app.Graceful.IsStopping);
        Assert.True(await app.Graceful.CloseAsync(TestContext.Current.CancellationToken));
        Assert.Equal("request of the application", (await app.ReportAsync()).Reason.ToString());
    }
}
