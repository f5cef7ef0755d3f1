using Graceful.Tests.Support;

namespace Graceful.Tests.Processes;

public sealed class MoreSignals
{
    [Fact]
    public async Task A_second_one_within_the_window_forces_and_the_exit_code_is_3()
    {
        var (child, port) = await Child.ListeningAsync("app");
        using var _ = child;
        using var client = await RawClient.ConnectAsync(port);
        await client.SendGetAsync("/slow?ms=15000");
        await child.Said("SLOW");
        child.Kill(Signal.Terminate);
        await child.Said("info: Graceful");
        child.Kill(Signal.Terminate);
        Assert.Equal(3, await child.ExitAsync());
        Assert.InRange(child.SinceSignal.TotalSeconds, 0, 6);
        Assert.Contains("forced by a second signal", child.Output, StringComparison.Ordinal);
        Assert.Contains("cut off             GET /slow", child.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_second_one_of_another_kind_forces_as_well()
    {
        var (child, port) = await Child.ListeningAsync("app");
        using var _ = child;
        using var client = await RawClient.ConnectAsync(port);
        await client.SendGetAsync("/blocked?ms=15000");
        await child.Said("SLOW");
        child.Kill(Signal.Terminate);
        await child.Said("info: Graceful");
        child.Kill(Signal.Interrupt);
        Assert.Equal(3, await child.ExitAsync());
        Assert.InRange(child.SinceSignal.TotalSeconds, 0, 6);
    }

    [Fact]
    public async Task Three_in_a_row_force_once_and_crash_nothing()
    {
        var (child, port) = await Child.ListeningAsync("app");
        using var _ = child;
        using var client = await RawClient.ConnectAsync(port);
        await client.SendGetAsync("/slow?ms=15000");
        await child.Said("SLOW");
        child.Kill(Signal.Terminate);
        child.Kill(Signal.Interrupt);
        child.TryKill(Signal.Quit);
        Assert.Equal(3, await child.ExitAsync());
        Assert.InRange(child.SinceSignal.TotalSeconds, 0, 6);
        Assert.DoesNotContain("Unhandled exception", child.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task With_a_window_of_zero_a_second_one_does_not_force()
    {
        var (child, port) = await Child.ListeningAsync("app", "--DoubleKickWindow", "00:00:00");
        using var _ = child;
        using var client = await RawClient.ConnectAsync(port);
        await client.SendGetAsync("/slow?ms=800");
        await child.Said("SLOW");
        child.Kill(Signal.Terminate);
        await child.Said("info: Graceful");
        child.Kill(Signal.Terminate);
        Assert.Equal("ok, at last", (await client.ReadAsync()).Text);
        Assert.Equal(0, await child.ExitAsync());
    }

    [Fact]
    public async Task With_a_window_of_zero_a_hail_of_them_until_the_very_end_changes_no_exit_code()
    {
        var (child, _) = await Child.ListeningAsync("app", "--DoubleKickWindow", "00:00:00");
        using var alsoChild = child;
        for (var i = 0; i < 10_000 && child.TryKill(Signal.Terminate); i++)
        {
            await Task.Delay(1);
        }

        Assert.Equal(0, await child.ExitAsync());
    }

    [Fact]
    public async Task A_hail_of_them_until_the_very_end_forces_at_most_and_never_kills()
    {
        var (child, _) = await Child.ListeningAsync("app");
        using var alsoChild = child;
        for (var i = 0; i < 10_000 && child.TryKill(Signal.Terminate); i++)
        {
            await Task.Delay(1);
        }

        Assert.Contains(await child.ExitAsync(), (int[])[0, 3]);
    }

    [Fact]
    public async Task One_that_comes_while_an_after_drain_hook_hangs_cancels_it_and_the_exit_code_is_3()
    {
        var (child, _) = await Child.ListeningAsync("stuck-hook");
        using var alsoChild = child;
        child.Kill(Signal.Terminate);
        await child.Said("FLUSHING");
        child.Kill(Signal.Terminate);
        Assert.Equal(3, await child.ExitAsync());
        Assert.InRange(child.SinceSignal.TotalSeconds, 0, 6);
        Assert.Contains("flush: cancelled", child.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task One_that_comes_while_a_service_hangs_in_its_stop_ends_the_process()
    {
        var (child, _) = await Child.ListeningAsync("stuck-stop");
        using var alsoChild = child;
        child.Kill(Signal.Terminate);
        await child.Said("STOPPING");
        child.Kill(Signal.Terminate);
        await child.ExitAsync();
        Assert.InRange(child.SinceSignal.TotalSeconds, 0, 6);
    }
}
