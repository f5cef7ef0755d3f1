using Graceful.Core;
using Graceful.Tests.Support;

namespace Graceful.Tests.Inside;

/// <summary>During a lame duck, or a drill, those who stay on one connection are told one after the other.</summary>
public sealed class PutOffNotices : EngineOnItsOwn
{
    private static readonly TimeSpan Slice = TimeSpan.FromSeconds(1);

    [Fact]
    public async Task Each_slice_of_the_time_has_its_share_and_at_the_end_everybody_was_told_once()
    {
        var all = Enumerable.Range(0, 100).Select(_ => Busy(multiplexed: true)).ToList();
        await DrillAsync(10, all);
        for (var slice = 1; slice <= 10; slice++)
        {
            var before = all.Sum(connection => connection.Asks);
            Time.Advance(Slice - TimeSpan.FromTicks(slice == 10 ? 1 : 0));

            // A timer counts in whole milliseconds, so the last one may have to ring at the very end.
            Assert.InRange(all.Sum(connection => connection.Asks) - before, 4, 16);
        }

        Time.Advance(TimeSpan.FromTicks(1));
        Assert.All(all, connection => Assert.Equal(1, connection.Asks));
        Assert.All(all, connection => Assert.False(ConnectionModule.awaitsNotice(connection.Now)));
    }

    [Fact]
    public async Task Who_asks_for_one_thing_at_a_time_is_asked_at_once()
    {
        var one = Busy(multiplexed: false);
        await DrillAsync(10, [one]);
        Assert.Equal(1, one.Asks);
    }

    [Fact]
    public async Task Who_was_upgraded_has_to_wait_for_his_moment()
    {
        var all = Enumerable.Range(0, 20).Select(_ => Busy(multiplexed: false)).ToList();
        all.ForEach(connection => connection.Apply(ConnectionEvent.Hijack));
        await DrillAsync(10, all);
        Assert.InRange(all.Sum(connection => connection.Asks), 0, 5);
        Time.Advance(TimeSpan.FromSeconds(5));
        Assert.InRange(all.Sum(connection => connection.Asks), 5, 15);
        Time.Advance(TimeSpan.FromSeconds(5));
        Assert.All(all, connection => Assert.Equal(1, connection.Asks));
    }

    [Fact]
    public async Task More_requests_do_not_tell_him_before_his_moment_nor_again_after_it()
    {
        var all = Enumerable.Range(0, 20).Select(_ => Busy(multiplexed: true)).ToList();
        await DrillAsync(10, all);
        var told = all.Sum(connection => connection.Asks);
        all.ForEach(connection => connection.Began());
        Assert.Equal(told, all.Sum(connection => connection.Asks));
        Time.Advance(TimeSpan.FromSeconds(10));
        all.ForEach(connection => connection.Began());
        Assert.All(all, connection => Assert.Equal(1, connection.Asks));
    }

    [Fact]
    public async Task Who_is_idle_at_his_moment_is_told_by_his_next_request()
    {
        var one = Busy(multiplexed: true);
        await DrillAsync(10, [one]);
        one.Apply(ConnectionEvent.End);
        Time.Advance(TimeSpan.FromSeconds(10) - TimeSpan.FromTicks(1));
        Time.Advance(TimeSpan.FromTicks(1));
        Assert.Equal(0, one.Asks);
        one.Began();
        Assert.Equal(1, one.Asks);
    }

    [Fact]
    public async Task Newcomers_are_told_within_what_is_left_of_the_time()
    {
        await DrillAsync(10, [Busy(multiplexed: true)]);
        Time.Advance(TimeSpan.FromSeconds(9));
        var newcomers = Enumerable.Range(0, 50).Select(_ => Busy(multiplexed: true)).ToList();
        Assert.InRange(newcomers.Sum(connection => connection.Asks), 0, 5);
        Time.Advance(TimeSpan.FromSeconds(0.5));
        Assert.InRange(newcomers.Sum(connection => connection.Asks), 20, 30);
        Time.Advance(TimeSpan.FromSeconds(0.5));
        Assert.All(newcomers, connection => Assert.Equal(1, connection.Asks));
    }

    [Fact]
    public async Task A_stop_without_a_lame_duck_tells_whoever_still_waits_at_once()
    {
        var all = Enumerable.Range(0, 20).Select(_ => Busy(multiplexed: true)).ToList();
        await DrillAsync(10, all);
        Assert.True(all.Sum(connection => connection.Asks) < 20);
        Engine.StartedUp();
        Stop();
        await Limits.Until(() => all.TrueForAll(connection => connection.Asks == 1), "everybody is told");
        all.ForEach(connection => connection.Apply(ConnectionEvent.End));
        all.ForEach(connection => connection.Apply(ConnectionEvent.Ended));
        await Engine.Exited.Soon("The end of the way out");
    }

    [Fact]
    public async Task A_drill_that_is_undone_tells_nobody_else_in_one_moment()
    {
        var all = Enumerable.Range(0, 20).Select(_ => Busy(multiplexed: true)).ToList();
        await DrillAsync(10, all);
        var told = all.Sum(connection => connection.Asks);
        Assert.True(await Engine.ResumeAsync().Soon());
        Assert.Equal(told, all.Sum(connection => connection.Asks));
        Time.Advance(TimeSpan.FromSeconds(5));
        Assert.InRange(all.Sum(connection => connection.Asks), 5, 15);
    }

    [Fact]
    public async Task One_that_fails_when_it_is_told_keeps_nobody_from_his_turn()
    {
        var broken = Enter(multiplexed: true, new InvalidOperationException("as planned"));
        var all = Enumerable.Range(0, 5).Select(_ => Busy(multiplexed: true)).ToList();
        await DrillAsync(10, [broken, .. all]);
        Time.Advance(TimeSpan.FromSeconds(10));
        Assert.All(all, connection => Assert.Equal(1, connection.Asks));
        Assert.True(ConnectionModule.awaitsNotice(broken.Now));
    }

    private PlainConnection Busy(bool multiplexed) => Enter(multiplexed, failure: null);

    private PlainConnection Enter(bool multiplexed, Exception? failure)
    {
        var connection = new PlainConnection(Engine, "one") { Multiplexed = multiplexed, Failure = failure };
        Assert.True(connection.TryEnter());
        connection.Began();
        return connection;
    }

    /// <summary>Practises a lame duck, and waits until each of these was asked or has its moment.</summary>
    private async Task DrillAsync(int seconds, List<PlainConnection> all)
    {
        _ = Engine.DrillAsync(TimeSpan.FromSeconds(seconds));
        await Limits.Until(() => all.TrueForAll(connection => connection.Asks > 0 || connection.IsNoticePutOff), "everybody has a moment");
    }
}
