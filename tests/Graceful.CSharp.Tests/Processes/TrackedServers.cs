using Graceful.Tests.Platform;
using Graceful.Tests.Support;
using Graceful.Tests.Trackers;

namespace Graceful.Tests.Processes;

/// <summary>A server that is not ours in a process of its own: signals, exit codes, service manager.</summary>
public sealed class TrackedServers
{
    private const int Killed = 128;

    [Theory]
    [InlineData(nameof(Signal.Terminate))]
    [InlineData(nameof(Signal.Interrupt))]
    [InlineData(nameof(Signal.Quit))]
    public async Task A_signal_closes_the_idle_waits_for_the_active_and_ends_with_0(string signal)
    {
        var (child, port) = await Child.ListeningAsync("tracked");
        using var _ = child;
        using var idle = await RawClient.ConnectAsync(port);
        await ForeignServer.PingAsync(idle);
        using var hijacked = await RawClient.ConnectAsync(port);
        await hijacked.SendAsync("hijack\n");
        await ForeignServer.AnswersAsync(hijacked, "mine");
        child.Kill(Enum.Parse<Signal>(signal));
        Assert.Equal(Ending.Fin, await idle.EndAsync());
        await hijacked.SendAsync("still here\n");
        await ForeignServer.AnswersAsync(hijacked, "still here");
        Assert.False(child.HasExited);
        hijacked.HalfClose();
        Assert.Equal(0, await child.ExitAsync());
        Assert.Equal(["HOOK first", "HOOK last", "COMPLETED"], child.Output.Split('\n').Where(line => line.StartsWith("HOOK", StringComparison.Ordinal) || line == "COMPLETED"));
    }

    [Theory]
    [InlineData(2)]
    [InlineData(42)]
    public async Task When_the_grace_period_is_over_the_exit_code_is_2_or_as_chosen(int code)
    {
        var (child, port) = await Child.ListeningAsync("tracked", "--GracePeriod", "00:00:00.500", "--ExitCodes:TimedOut", $"{code}");
        using var _ = child;
        using var active = await RawClient.ConnectAsync(port);
        await active.SendAsync("ping\ndoor\n");
        await ForeignServer.AnswersAsync(active, "pong");
        child.Kill(Signal.Terminate);
        Assert.Equal(Ending.Reset, await active.EndAsync());
        Assert.Equal(code, await child.ExitAsync());
        Assert.Contains("cut off work        connection from 127.0.0.1:", child.Output, StringComparison.Ordinal);
        Assert.Contains("HOOK last", child.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_second_signal_forces_with_3()
    {
        var (child, port) = await Child.ListeningAsync("tracked");
        using var _ = child;
        using var active = await RawClient.ConnectAsync(port);
        await active.SendAsync("ping\ndoor\n");
        await ForeignServer.AnswersAsync(active, "pong");
        child.Kill(Signal.Terminate);
        await child.Said("info: Graceful");
        child.Kill(Signal.Interrupt);
        Assert.Equal(3, await child.ExitAsync());
        Assert.Equal(Ending.Reset, await active.EndAsync());
        Assert.Contains("forced by a second signal", child.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_hook_that_fails_makes_it_1()
    {
        var (child, _) = await Child.ListeningAsync("tracked-failing-hook");
        using var alsoChild = child;
        child.Kill(Signal.Terminate);
        Assert.Equal(1, await child.ExitAsync());
        Assert.Contains("disk full", child.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_second_signal_ends_a_process_that_lingers_after_its_way_out()
    {
        var (child, _) = await Child.ListeningAsync("tracked-lingers");
        using var alsoChild = child;
        child.Kill(Signal.Terminate);
        await child.Said("COMPLETED");
        child.Kill(Signal.Terminate);
        Assert.Equal(3, await child.ExitAsync());
        Assert.InRange(child.SinceSignal.TotalSeconds, 0, 6);
    }

    [Fact]
    public async Task A_process_that_is_somebody_elses_keeps_its_exit_code()
    {
        var (child, port) = await Child.ListeningAsync("tracked", "--GracePeriod", "00:00:00.200", "--OwnsProcess", "false");
        using var _ = child;
        using var active = await RawClient.ConnectAsync(port);
        await active.SendAsync("ping\ndoor\n");
        await ForeignServer.AnswersAsync(active, "pong");
        child.Kill(Signal.Terminate);
        Assert.Equal(0, await child.ExitAsync());
        Assert.Contains("exit code 2", child.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_service_manager_hears_when_it_is_ready_and_when_it_leaves()
    {
        using var manager = new Listener();
        var (child, port) = await Child.ListeningAsync("tracked-not-ready", manager.With("WATCHDOG_USEC", "300000"));
        using var _ = child;
        await manager.Hears("WATCHDOG=1");
        Assert.Equal(0, manager.Count("READY=1"));
        child.GoOn();
        await manager.Hears("READY=1");
        Assert.Equal(1, manager.Count($"MAINPID={child.Id}"));
        using var active = await RawClient.ConnectAsync(port);
        await active.SendAsync("hijack\n");
        await ForeignServer.AnswersAsync(active, "mine");
        child.Kill(Signal.Terminate);
        await manager.Hears("STOPPING=1");
        await manager.Hears("STATUS=Leaving after SIGTERM: draining, 1 connection");
        Assert.NotEmpty(manager.Extensions);
        active.HalfClose();
        Assert.Equal(0, await child.ExitAsync());
        Assert.Equal((1, 1), (manager.Count("READY=1"), manager.Count("STOPPING=1")));
    }

    [Theory]
    [InlineData("tracked", 6)]
    [InlineData("tracked-late-hook", 10)]
    public async Task More_time_is_asked_for_as_far_as_the_budget_goes_and_a_late_hook_is_part_of_it(string kind, int most)
    {
        using var manager = new Listener();
        var (child, _) = await Child.ListeningAsync(kind, manager.Environment, "--GracePeriod", "00:00:01");
        using var alsoChild = child;
        child.Kill(Signal.Terminate);
        Assert.Equal(0, await child.ExitAsync());
        Assert.InRange(manager.Extensions[0] / 1e6, most - 1, most);
    }

    [Fact]
    public async Task Signals_that_are_not_chosen_do_what_they_do_by_themselves()
    {
        var (child, _) = await Child.ListeningAsync("tracked");
        using var alsoChild = child;
        child.Kill(Signal.HangUp);
        Assert.Equal(Killed + (int)Signal.HangUp, await child.ExitAsync());
    }
}
