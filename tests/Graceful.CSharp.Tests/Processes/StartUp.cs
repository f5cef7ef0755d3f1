using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace Graceful.Tests.Processes;

public sealed class StartUp
{
    [Theory]
    [InlineData("slow-start")]
    [InlineData("before-build")]
    public async Task A_signal_that_comes_early_lets_the_start_finish_and_then_leaves_in_order(string kind)
    {
        using var child = Child.Start(kind);
        await child.Said("STARTING");
        child.Kill(Signal.Terminate);

        // Nothing announces that a signal had no effect; this only gives one the chance to do harm.
        await Task.Delay(200);
        Assert.False(child.HasExited);
        child.GoOn();
        Assert.Equal(0, await child.ExitAsync());
        Assert.Contains("Left after SIGTERM in ", child.Output, StringComparison.Ordinal);
        Assert.Contains("LISTENING", child.Output, StringComparison.Ordinal);
        Assert.DoesNotContain("Unhandled exception", child.Output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("stuck-start")]
    [InlineData("before-build")]
    public async Task Two_signals_end_a_start_that_is_stuck(string kind)
    {
        using var child = Child.Start(kind);
        await child.Said("STARTING");
        child.Kill(Signal.Terminate);
        await Task.Delay(200);
        child.Kill(Signal.Terminate);
        Assert.NotEqual(0, await child.ExitAsync());
        Assert.InRange(child.SinceSignal.TotalSeconds, 0, 6);
    }

    [Fact]
    public async Task A_stuck_start_ends_when_its_grace_period_is_over()
    {
        using var child = Child.Start("stuck-start", "--GracePeriod", "00:00:01");
        await child.Said("STARTING");
        child.Kill(Signal.Terminate);
        Assert.Equal(2, await child.ExitAsync());
        Assert.InRange(child.SinceSignal.TotalSeconds, 0.9, 6);
        Assert.Contains("Left after SIGTERM", child.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_port_in_use_fails_the_start_with_a_clear_error()
    {
        using var occupant = new TcpListener(IPAddress.Loopback, 0);
        occupant.Start();
        var port = ((IPEndPoint)occupant.LocalEndpoint).Port;
        using var child = Child.Start("app", "--port", port.ToString(CultureInfo.InvariantCulture));
        Assert.NotEqual(0, await child.ExitAsync());
        Assert.Contains("address already in use", child.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_stop_after_a_start_that_failed_ends_at_once_and_does_not_kill_the_process()
    {
        using var occupant = new TcpListener(IPAddress.Loopback, 0);
        occupant.Start();
        var port = ((IPEndPoint)occupant.LocalEndpoint).Port;
        using var child = Child.Start(
            "stop-after-failed-start", "--GracePeriod", "00:00:10", "--port", port.ToString(CultureInfo.InvariantCulture));
        await child.Said("FAILED");
        var clock = System.Diagnostics.Stopwatch.StartNew();
        Assert.Equal(7, await child.ExitAsync());
        Assert.InRange(clock.Elapsed.TotalSeconds, 0, 5);
    }

    [Fact]
    public async Task Options_that_are_refused_fail_the_start_with_a_clear_error()
    {
        using var child = Child.Start("app", "--QuietPeriod", "-00:00:01");
        Assert.NotEqual(0, await child.ExitAsync());
        Assert.Contains("QuietPeriod is -00:00:01", child.Output, StringComparison.Ordinal);
    }
}
