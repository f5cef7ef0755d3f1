using Graceful.Core;
using Graceful.Engine;
using Graceful.Platform;
using Graceful.Tests.Support;

namespace Graceful.Tests.Platform;

/// <summary>How much more time a way out asks for, on a clock that the test moves.</summary>
public sealed class MoreTime : IDisposable
{
    private static readonly TimeSpan Second = TimeSpan.FromSeconds(1);

    private readonly ManualTime _time = new();
    private readonly LogBook _log = new();
    private readonly Listener _manager = new();

    [Fact]
    public async Task It_is_asked_for_each_second_and_never_beyond_the_budget()
    {
        using var engine = Engine(_time, TimeSpan.FromMinutes(10));
        using var service = await LeaveAsync(engine, TimeSpan.FromSeconds(25));
        for (var second = 1; second <= 40; second++)
        {
            await LookAsync();
        }

        // Ten seconds at a time as long as there are ten; then what is left, and not one more.
        var asked = Enumerable.Range(0, 25).Select(second => Math.Min(10, 25 - second) * 1_000_000L);
        Assert.Equal(asked, _manager.Extensions);
    }

    [Fact]
    public async Task Without_a_budget_the_service_manager_keeps_its_own()
    {
        using var engine = Engine(_time, TimeSpan.FromMinutes(10));
        using var service = await LeaveAsync(engine, Timeout.InfiniteTimeSpan);
        await LookAsync();
        Assert.Empty(_manager.Extensions);
        await _manager.Hears("STATUS=Leaving after SIGTERM: lame duck, 0 connections with 0 requests in flight, at most 3599 s more");
    }

    [Fact]
    public async Task A_way_out_that_has_missed_its_own_wake_up_gets_no_more()
    {
        using var engine = Engine(new Deaf(_time), TimeSpan.FromSeconds(3));
        using var service = await LeaveAsync(engine, TimeSpan.FromMinutes(10));
        for (var second = 1; second <= 20; second++)
        {
            await LookAsync();
        }

        // At once, three seconds of lame duck, and five in which a wake-up may be late.
        Assert.Equal(1 + 3 + 5, _manager.Extensions.Count);
    }

    public void Dispose()
    {
        _manager.Dispose();
        _log.Dispose();
    }

    private LifecycleEngine Engine(TimeProvider time, TimeSpan lameDuck) => new(
        new GracefulOptions { TimeProvider = time, LameDuck = lameDuck, GracePeriod = TimeSpan.FromHours(1) }, _log.CreateLogger("Graceful"));

    private async Task<ServiceManager> LeaveAsync(LifecycleEngine engine, TimeSpan limit)
    {
        var service = ServiceManager.Find(
            engine,
            new GracefulOptions { TimeProvider = _time },
            new ServiceEnvironment(_manager.Address, null, null, 1),
            () => limit,
            lifetimeTells: false,
            _log.CreateLogger("Graceful"))!;
        engine.StartedUp();
        engine.Stop(Trigger.NewSignal(15));
        await _manager.Hears("STOPPING=1");
        return service;
    }

    /// <summary>Lets the next look come when it is due, and finds room for what it has to say.</summary>
    private async Task LookAsync()
    {
        _ = _manager.Datagrams;
        await Limits.Until(() => _time.NextDue == Second, "the next look is due");
        _time.Advance(Second);
    }

    /// <summary>Another's clock, and timers that never ring.</summary>
    private sealed class Deaf(TimeProvider clock) : TimeProvider
    {
        public override long TimestampFrequency => clock.TimestampFrequency;

        public override long GetTimestamp() => clock.GetTimestamp();

        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period) =>
            new ManualTime().CreateTimer(callback, state, dueTime, period);
    }
}
