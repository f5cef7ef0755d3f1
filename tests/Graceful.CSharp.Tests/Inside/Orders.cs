using Graceful.Core;
using Graceful.Tests.Support;

namespace Graceful.Tests.Inside;

/// <summary>What becomes of the core's orders.</summary>
public sealed class Orders : EngineOnItsOwn
{
    [Fact]
    public async Task The_next_sweep_comes_as_soon_as_the_first_of_all_connections_wants_it()
    {
        // The table has an order of its own, so the one that counts is neither the only one nor surely the first or last.
        List<int> seconds = [4, 9, 7, 1, 2];
        var all = seconds.ConvertAll(quiet => Enter($"quiet for {quiet} s", TimeSpan.FromSeconds(quiet)));
        Engine.StartedUp();
        Stop();
        await Limits.Until(() => Time.NextDue == TimeSpan.FromSeconds(1), "a sweep is due when the quietest will be quiet");
        Assert.All(all, connection => Assert.Equal(1, connection.Sweeps));
        Time.Advance(TimeSpan.FromSeconds(1));
        await Limits.Until(() => all.All(connection => connection.Sweeps == 2), "everybody is looked at again");
    }

    [Fact]
    public async Task The_listeners_that_were_taken_away_are_not_closed_and_the_others_are_once()
    {
        var (stays, goes) = (new PlainIntake(), new PlainIntake());
        Engine.Intakes.TryAdd(stays);
        Engine.Intakes.TryAdd(goes);
        Engine.Intakes.Remove(goes);
        Engine.StartedUp();
        Stop();
        var report = await Engine.Exited.Soon("The end of the way out");
        Assert.Equal((1, 0, 0), (stays.Stops, goes.Stops, report.ExitCode));
    }

    [Fact]
    public async Task A_stop_during_the_start_closes_the_listeners_once_they_are_bound()
    {
        var intake = new PlainIntake();
        Stop();
        await Log.Until("to ClosingListeners after");
        Engine.Intakes.TryAdd(intake);
        Engine.StartedUp();
        await Engine.Exited.Soon("The end of the way out");
        Assert.Equal(1, intake.Stops);
    }

    [Fact]
    public async Task An_order_that_nobody_can_carry_out_is_named_in_the_log_and_the_engine_goes_on()
    {
        Engine.Post(Event.HandOverRequested);
        await Log.Until("could not be carried out");
        var entry = Assert.Single(Log.Entries, entry => entry.Text.Contains("could not be carried out", StringComparison.Ordinal));
        Assert.Contains("StartSuccessor", entry.Error!.Message, StringComparison.Ordinal);
        Engine.StartedUp();
        Stop();
        await Engine.Exited.Soon("The end of the way out");
    }

    [Fact]
    public async Task Disposed_it_wakes_nobody_takes_nothing_and_keeps_nobody_waiting()
    {
        Enter("one", TimeSpan.FromSeconds(4));
        Engine.StartedUp();
        Stop();
        await Limits.Until(() => Time.NextDue == TimeSpan.FromSeconds(6), "the next sweep is due");
        Engine.Dispose();
        Assert.Null(Time.NextDue);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => Engine.Exited.Soon("The answer"));
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => Engine.Reported.Soon("The answer"));
    }
}
