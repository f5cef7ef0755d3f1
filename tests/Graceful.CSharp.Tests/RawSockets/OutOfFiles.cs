using System.Net;
using System.Net.Sockets;
using Graceful.Tests.Processes;
using Graceful.Tests.Support;

namespace Graceful.Tests.RawSockets;

/// <summary>A process without descriptors goes on accepting when it has some again.</summary>
public sealed class OutOfFiles
{
    [Fact]
    public async Task It_is_tried_again_and_whoever_waited_is_served()
    {
        using var child = Child.Start(ChildListener.Kind);
        using var client = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        await client.ConnectAsync(IPAddress.Loopback, await child.PortAsync()).Soon("The connection");
        await client.SayAsync("hello");
        await Limits.Until(() => child.Output.Split("TROUBLE").Length > 3, "it is tried again");
        child.GoOn();
        Assert.Equal("hello", await client.HearAsync());
        Assert.Equal(0, await child.ExitAsync());
    }
}
