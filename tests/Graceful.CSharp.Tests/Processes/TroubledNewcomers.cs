using Graceful.Tests.Support;

namespace Graceful.Tests.Processes;

/// <summary>What goes wrong with one newcomer of a user's socket is no reason to leave.</summary>
public sealed class TroubledNewcomers
{
    [Fact]
    public async Task A_network_error_of_a_newcomer_is_not_the_end_of_the_socket()
    {
        using var child = Child.Start("server-accept-fails");
        using var client = await RawClient.ConnectAsync(await child.PortAsync());
        // It is tried again and again, with a breath in between.
        await Limits.Until(() => child.Output.Split("TROUBLE").Length > 20, "it goes on accepting");
        child.Kill(Signal.Terminate);
        Assert.Equal(ChildGracefulServer.OwnCode, await child.ExitAsync());
        Assert.Contains("ENDED by SIGTERM with 0", child.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_newcomer_that_went_is_closed_and_the_next_is_accepted()
    {
        using var child = Child.Start("server-nodelay-fails");
        var port = await child.PortAsync();
        for (var newcomer = 0; newcomer < 3; newcomer++)
        {
            using var client = await RawClient.ConnectAsync(port);
            await client.EndAsync();
        }

        child.Kill(Signal.Terminate);
        Assert.Equal(ChildGracefulServer.OwnCode, await child.ExitAsync());
        Assert.Contains("ENDED by SIGTERM with 0", child.Output, StringComparison.Ordinal);
    }
}
