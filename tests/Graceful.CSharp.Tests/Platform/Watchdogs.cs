using Graceful.Platform;
using Graceful.Tests.Inside;
using Graceful.Tests.Support;

namespace Graceful.Tests.Platform;

/// <summary>How often a watchdog is fed, and whose it is, on a clock that the test moves.</summary>
public sealed class Watchdogs : EngineOnItsOwn
{
    private const int Self = 4711;

    private readonly Listener _manager = new();

    [Theory]
    [InlineData(null)]
    [InlineData("")]
    [InlineData("4711")]
    public async Task It_is_fed_at_once_and_then_at_half_its_time(string? pid)
    {
        using var listener = _manager;
        using var service = Find("20000000", pid);
        await FedAsync(1);
        for (var times = 2; times < 6; times++)
        {
            Time.Advance(TimeSpan.FromSeconds(10) - TimeSpan.FromTicks(1));
            Assert.Equal(times - 1, listener.Count("WATCHDOG=1"));
            Time.Advance(TimeSpan.FromTicks(1));
            await FedAsync(times);
        }

        Assert.All(listener.Datagrams, text => Assert.Equal("WATCHDOG=1\n", text));
    }

    [Theory]
    [InlineData("20000000", "4712")]
    [InlineData(null, "4711")]
    [InlineData("", null)]
    public async Task One_that_watches_nobody_or_somebody_else_is_not_fed(string? usec, string? pid)
    {
        using var listener = _manager;
        using var service = Find(usec, pid);
        service!.Started();
        await listener.Hears("READY=1");
        Time.Advance(TimeSpan.FromHours(1));
        Assert.Equal([$"READY=1\nMAINPID={Self}\n"], listener.Datagrams);
        Assert.Empty(Log.Entries);
    }

    [Theory]
    [InlineData("abc", null, "WATCHDOG_USEC is 'abc'; allowed is a number of microseconds between 1 and 922337203685477580")]
    [InlineData("0", null, "WATCHDOG_USEC is '0'")]
    [InlineData("-1", null, "WATCHDOG_USEC is '-1'")]
    [InlineData("18446744073709551615", null, "WATCHDOG_USEC is '18446744073709551615'")]
    [InlineData("20000000", "me", "WATCHDOG_PID is 'me'; allowed is the number of a process")]
    [InlineData("20000000", "0", "WATCHDOG_PID is '0'")]
    public async Task What_makes_no_sense_is_named_in_a_warning_and_the_rest_is_said(string usec, string? pid, string complaint)
    {
        using var listener = _manager;
        using var service = Find(usec, pid);
        Assert.Contains(complaint, Assert.Single(Log.Entries).Text, StringComparison.Ordinal);
        service!.Started();
        await listener.Hears("READY=1");
        Assert.Equal(0, listener.Count("WATCHDOG=1"));
    }

    [Fact]
    public async Task Disposed_it_says_nothing_more()
    {
        using var listener = _manager;
        using (Find("20000000", null))
        {
            await FedAsync(1);
        }

        Assert.Null(Time.NextDue);
        Stop();
        await Log.Until("to ClosingListeners after");
        Time.Advance(TimeSpan.FromMinutes(1));
        Assert.Single(listener.Datagrams);
    }

    private ServiceManager? Find(string? usec, string? pid) => ServiceManager.Find(
        Engine,
        new GracefulOptions { TimeProvider = Time },
        new ServiceEnvironment(_manager.Address, usec, pid, Self),
        () => TimeSpan.FromMinutes(1),
        lifetimeTells: false,
        Log.CreateLogger("Graceful"));

    private Task FedAsync(int times) => Limits.Until(
        () => _manager.Count("WATCHDOG=1") == times && Time.NextDue == TimeSpan.FromSeconds(10), "the watchdog is fed, and the next time is due");
}
