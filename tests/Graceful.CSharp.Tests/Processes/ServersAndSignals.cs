using System.Net.Sockets;
using Graceful.Tests.Support;

namespace Graceful.Tests.Processes;

/// <summary>Signals end what a <see cref="GracefulServer"/> serves if it was told so, none is lost, and the process stays its owner's.</summary>
public sealed class ServersAndSignals
{
    private const int Killed = 128;

    [Fact]
    public async Task One_ends_it_in_order_and_is_known_afterwards()
    {
        using var child = Child.Start("server");
        using var client = await RawClient.ConnectAsync(await child.PortAsync());
        await client.SendGetAsync("/?ms=700");
        await child.Said("SLOW");
        child.Kill(Signal.Terminate);
        Assert.Equal(200, (await client.ReadAsync()).Status);
        Assert.Equal(ChildGracefulServer.OwnCode, await child.ExitAsync());
        Assert.Contains("ENDED by SIGTERM with 0, the process with 0", child.Output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(nameof(Signal.Terminate), "SIGTERM")]
    [InlineData(nameof(Signal.Interrupt), "SIGINT")]
    [InlineData(nameof(Signal.Quit), "SIGQUIT")]
    public async Task The_usual_ones_do_when_none_is_named(string signal, string name)
    {
        using var child = Child.Start("server-default-signals");
        await child.PortAsync();
        child.Kill(Enum.Parse<Signal>(signal));
        Assert.Equal(ChildGracefulServer.OwnCode, await child.ExitAsync());
        Assert.Contains($"ENDED by {name} with 0", child.Output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(nameof(Signal.Terminate))]
    [InlineData(nameof(Signal.Interrupt))]
    [InlineData(nameof(Signal.User1))]
    public async Task A_server_that_was_not_told_takes_none(string signal)
    {
        using var child = Child.Start("server-without-signals");
        await child.PortAsync();
        child.Kill(Enum.Parse<Signal>(signal));
        Assert.Equal(Killed + (int)Enum.Parse<Signal>(signal), await child.ExitAsync());
        Assert.DoesNotContain("ENDED", child.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task One_signal_ends_every_server_that_waits_for_it()
    {
        using var child = Child.Start("server-pair");
        await child.PortAsync();
        await child.Said("SECOND");
        child.Kill(Signal.Terminate);
        Assert.Equal(ChildGracefulServer.OwnCode, await child.ExitAsync());
        Assert.Contains("LISTENING ENDED by SIGTERM with 0", child.Output, StringComparison.Ordinal);
        Assert.Contains("SECOND ENDED by SIGTERM with 0", child.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task One_that_comes_before_it_serves_ends_it_at_once()
    {
        using var child = Child.Start("server-not-yet");
        await child.Said("READY");
        child.Kill(Signal.Terminate);
        child.GoOn();
        Assert.Equal(ChildGracefulServer.OwnCode, await child.ExitAsync());
        Assert.Contains("LISTENING ENDED by SIGTERM with 0", child.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_same_twice_before_it_serves_is_meant_for_the_process()
    {
        using var child = Child.Start("server-not-yet");
        await child.Said("READY");
        child.Kill(Signal.Terminate);
        // Two that the kernel has not yet delivered are one to it.
        await Limits.Until(() => !child.TryKill(Signal.Terminate), "the process is gone");
        Assert.Equal(Killed + (int)Signal.Terminate, await child.ExitAsync());
    }

    [Fact]
    public async Task Another_one_on_the_way_out_is_kept_and_ends_what_is_served_next()
    {
        using var child = Child.Start("server");
        var port = await child.PortAsync();
        using var client = await RawClient.ConnectAsync(port);
        await client.SendGetAsync("/?ms=1500");
        await child.Said("SLOW");
        child.Kill(Signal.User1);
        await UntilRefusedAsync(port);
        // Within the window in which the same one again would force. Often, as it is not for this way out, however urgent.
        child.Kill(Signal.Terminate);
        child.Kill(Signal.Terminate);
        Assert.Equal(200, (await client.ReadAsync()).Status);
        Assert.Equal(ChildGracefulServer.OwnCode, await child.ExitAsync());
        Assert.Equal(
            ["LISTENING ENDED by SIGUSR1 with 0, the process with 0", "LISTENING ENDED by SIGTERM with 0, the process with 0"],
            child.Output.Split('\n').Where(line => line.Contains("ENDED", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task SIGTERM_again_forces_and_the_exit_code_is_in_the_report_alone()
    {
        using var child = Child.Start("server");
        var port = await child.PortAsync();
        using var client = await RawClient.ConnectAsync(port);
        await client.SendGetAsync("/?ms=15000");
        await child.Said("SLOW");
        child.Kill(Signal.Terminate);
        await UntilRefusedAsync(port);
        child.Kill(Signal.Terminate);
        Assert.Equal(ChildGracefulServer.OwnCode, await child.ExitAsync());
        Assert.Contains("LISTENING ENDED by SIGTERM with 3, the process with 0", child.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_burst_of_SIGUSR1_is_one()
    {
        using var child = Child.Start("server");
        var port = await child.PortAsync();
        using var client = await RawClient.ConnectAsync(port);
        await client.SendGetAsync("/?ms=1500");
        await child.Said("SLOW");
        child.Kill(Signal.User1);
        await UntilRefusedAsync(port);
        child.Kill(Signal.User1);
        child.Kill(Signal.User1);
        Assert.Equal(200, (await client.ReadAsync()).Status);
        await Limits.Until(() => child.Output.Split("LISTENING ").Length > 3, "it serves again");
        child.Kill(Signal.Terminate);
        Assert.Equal(ChildGracefulServer.OwnCode, await child.ExitAsync());
        Assert.Equal(
            ["LISTENING ENDED by SIGUSR1 with 0, the process with 0", "LISTENING ENDED by SIGTERM with 0, the process with 0"],
            child.Output.Split('\n').Where(line => line.Contains("ENDED", StringComparison.Ordinal)));
    }

    private static Task UntilRefusedAsync(int port) => Limits.Until(
        () =>
        {
            try
            {
                using var probe = new TcpClient("127.0.0.1", port);
                return false;
            }
            catch (SocketException)
            {
                return true;
            }
        },
        "newcomers are refused");
}
