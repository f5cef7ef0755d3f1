using Graceful.Tests.Support;

namespace Graceful.Tests.Processes;

public sealed class ExitCodes
{
    [Fact]
    public async Task A_hook_that_fails_makes_it_1()
    {
        var (child, port) = await Child.ListeningAsync("failing-hook");
        using var _ = child;
        using var client = await RawClient.IdleAsync(port);
        child.Kill(Signal.Terminate);
        Assert.Equal(Ending.Fin, await client.EndAsync());
        Assert.Equal(1, await child.ExitAsync());
        Assert.Contains("flush: failed (InvalidOperationException: disk full)", child.Output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(255)]
    public async Task One_that_is_set_for_a_clean_way_out_is_what_the_process_ends_with(int code)
    {
        var (child, _) = await Child.ListeningAsync("app", "--ExitCodes:Clean", $"{code}");
        using var alsoChild = child;
        child.Kill(Signal.Terminate);
        Assert.Equal(code, await child.ExitAsync());
        Assert.Contains("info: Graceful", child.Output, StringComparison.Ordinal);
        Assert.Contains($", exit code {code}\n", child.Output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(75)]
    public async Task One_that_is_set_for_a_hook_that_fails_is_what_the_process_ends_with(int code)
    {
        var (child, _) = await Child.ListeningAsync("failing-hook", "--ExitCodes:Failed", $"{code}");
        using var alsoChild = child;
        child.Kill(Signal.Terminate);
        Assert.Equal(code, await child.ExitAsync());
        Warned(child, code, "flush: failed");
    }

    [Theory]
    [InlineData(0)]
    [InlineData(76)]
    public async Task One_that_is_set_for_a_grace_period_that_is_over_is_what_the_process_ends_with(int code)
    {
        var (child, port) = await Child.ListeningAsync("app", "--GracePeriod", "00:00:01", "--ExitCodes:TimedOut", $"{code}");
        using var _ = child;
        using var client = await RawClient.ConnectAsync(port);
        await client.SendGetAsync("/stubborn?ms=15000");
        await child.Said("SLOW");
        child.Kill(Signal.Terminate);
        Assert.Equal(code, await child.ExitAsync());
        Warned(child, code, "forced: the grace period was over");

        // Who ignores the abort is not waited for, whatever the code.
        Assert.InRange(child.SinceSignal.TotalSeconds, 0.9, 6);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(77)]
    public async Task One_that_is_set_for_a_stop_that_is_forced_is_what_the_process_ends_with(int code)
    {
        var (child, port) = await Child.ListeningAsync("signals", "--ExitCodes:Forced", $"{code}");
        using var _ = child;
        using var client = await RawClient.ConnectAsync(port);
        await client.SendGetAsync("/slow?ms=15000");
        await child.Said("SLOW");
        child.Kill(Signal.User2);
        Assert.Equal(code, await child.ExitAsync());
        Warned(child, code, "forced: a stop at once was asked for");
    }

    [Fact]
    public async Task One_that_is_set_for_a_grace_period_that_is_over_ends_a_stuck_start_as_well()
    {
        using var child = Child.Start("stuck-start", "--GracePeriod", "00:00:01", "--ExitCodes:TimedOut", "78");
        await child.Said("STARTING");
        child.Kill(Signal.Terminate);
        Assert.Equal(78, await child.ExitAsync());
    }

    [Fact]
    public async Task One_that_is_set_for_a_forced_stop_is_that_of_a_host_that_hangs_after_the_way_out()
    {
        var (child, _) = await Child.ListeningAsync("stuck-stop", "--ExitCodes:Forced", "79");
        using var alsoChild = child;
        child.Kill(Signal.Terminate);
        await child.Said("STOPPING");
        child.Kill(Signal.Terminate);
        Assert.Equal(79, await child.ExitAsync());
    }

    private static void Warned(Child child, int code, string trouble)
    {
        Assert.Contains("warn: Graceful", child.Output, StringComparison.Ordinal);
        Assert.Contains($", exit code {code}\n", child.Output, StringComparison.Ordinal);
        Assert.Contains(trouble, child.Output, StringComparison.Ordinal);
    }
}
