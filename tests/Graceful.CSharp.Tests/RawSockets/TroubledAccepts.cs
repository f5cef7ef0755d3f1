using System.Net;
using System.Net.Sockets;
using Graceful.Tests.Processes;
using Graceful.Tests.Support;

namespace Graceful.Tests.RawSockets;

/// <summary>An accept that fails is no end of the accepts.</summary>
public sealed class TroubledAccepts
{
    [Fact]
    public async Task It_is_tried_again_with_a_breath_in_between_and_ends_with_the_listener()
    {
        using var child = Child.Start(ChildListener.Kind);
        using var client = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        await client.ConnectAsync(IPAddress.Loopback, await child.PortAsync()).Soon("The connection");
        await Limits.Until(() => child.Output.Split("TROUBLE").Length > 20, "it goes on accepting");
        child.GoOn();
        Assert.Equal(0, await child.ExitAsync());
    }
}
