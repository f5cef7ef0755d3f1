using Graceful.Tests.Support;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Graceful.Tests.Platform;

/// <summary>What the start says of sums that do not fit.</summary>
public sealed class Budgets
{
    private static readonly TimeSpan Second = TimeSpan.FromSeconds(1);

    public static TheoryData<string, Action<GracefulOptions>> TooMuch() => new()
    {
        {
            "The way out may take GracePeriod 30 s (with LameDuck 5 s, hook 'deregister' 2 s in it) + hook 'flush' 5 s + hook 'audit' 0.5 s = 35.5 s, "
            + "but PlatformGracePeriod is 30 s: it may be killed or cut off before it is over",
            o =>
            {
                o.PlatformGracePeriod = 30 * Second;
                o.LameDuck = 5 * Second;
                o.OnStopping("deregister", 2 * Second, Nothing).OnDrained("flush", 5 * Second, Nothing).OnDrained("audit", 0.5 * Second, Nothing);
            }
        },
        {
            "The way out may take GracePeriod 30 s, but PlatformGracePeriod is 30 s: it may be killed or cut off before it is over",
            o => o.PlatformGracePeriod = 30 * Second
        },
        {
            "The way out may take GracePeriod without limit + hook 'flush' 5 s = without limit, but PlatformGracePeriod is 60 s: "
            + "it may be killed or cut off before it is over",
            o =>
            {
                o.PlatformGracePeriod = 60 * Second;
                o.GracePeriod = Timeout.InfiniteTimeSpan;
                o.OnDrained("flush", 5 * Second, Nothing);
            }
        },
        {
            "SettleTime 0.1 s + QuietPeriod 1 s = 1.1 s, but GracePeriod is 1.1 s: a connection that is used to the last is cut off before it was quiet",
            o => (o.QuietPeriod, o.GracePeriod) = (Second, 1.1 * Second)
        },
        {
            "LameDuck 29.5 s + SettleTime 0.1 s + QuietPeriod 0.5 s = 30.1 s, but GracePeriod is 30 s: "
            + "a connection that is used to the last is cut off before it was quiet",
            o => o.LameDuck = 29.5 * Second
        },
    };

    public static TheoryData<string, Action<GracefulOptions>> Enough() => new()
    {
        { "the defaults", _ => { } },
        { "a hook, and a second more than both", o =>
            {
                o.PlatformGracePeriod = 36 * Second;
                o.LameDuck = 10 * Second;
                o.OnStopping("deregister", 20 * Second, Nothing).OnDrained("flush", 5 * Second, Nothing);
            }
        },
        { "no limit at all", o => o.GracePeriod = Timeout.InfiniteTimeSpan },
        { "just quiet in time", o => (o.QuietPeriod, o.GracePeriod) = (Second, 1.2 * Second) },
    };

    [Theory]
    [MemberData(nameof(TooMuch), DisableDiscoveryEnumeration = true)]
    public async Task A_sum_that_does_not_fit_is_shown_once_when_the_server_starts(string warning, Action<GracefulOptions> configure)
    {
        await using var app = await TestApp.StartAsync(configure);
        var entry = Assert.Single(Warnings(app.Log));
        Assert.Equal((warning, 21), (entry.Text, entry.Id.Id));
    }

    [Theory]
    [MemberData(nameof(Enough), DisableDiscoveryEnumeration = true)]
    public async Task A_sum_that_fits_is_nothing_to_talk_about(string what, Action<GracefulOptions> configure)
    {
        Assert.NotEmpty(what);
        await using var app = await TestApp.StartAsync(configure);
        Assert.Empty(Warnings(app.Log));
    }

    [Fact]
    public async Task The_time_of_the_host_is_raised_so_that_the_sum_fits_and_cut_down_afterwards_it_is_named_in_the_same_warning()
    {
        await using (var app = await TestApp.StartAsync(build: builder => builder.Services.Configure<HostOptions>(host => host.ShutdownTimeout = Second)))
        {
            Assert.Empty(Warnings(app.Log));
        }

        var builder = WebApplication.CreateSlimBuilder();
        using var log = new LogBook();
        builder.Logging.ClearProviders().AddProvider(log);
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.AddGraceful(options => options.PlatformGracePeriod = 10 * Second);
        builder.Services.PostConfigure<HostOptions>(host => host.ShutdownTimeout = 20 * Second);
        await using var cut = await Running.StartAsync(builder.Build());
        Assert.Equal(
            "The way out may take GracePeriod 30 s, but PlatformGracePeriod is 10 s and the host's ShutdownTimeout is 20 s: it may be killed or cut off before it is over",
            Assert.Single(Warnings(log)).Text);
    }

    private static IEnumerable<LogEntry> Warnings(LogBook log) => log.OfGraceful.Where(entry => entry.Level >= LogLevel.Warning);

    private static Task Nothing(StopReason reason, CancellationToken token) => Task.CompletedTask;
}
