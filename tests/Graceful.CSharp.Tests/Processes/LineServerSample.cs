using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text.RegularExpressions;
using Graceful.Tests.RawSockets;
using Graceful.Tests.Support;

namespace Graceful.Tests.Processes;

/// <summary>The sample with a protocol of its own leaves, and nobody is lost.</summary>
public sealed class LineServerSample
{
    [Fact]
    public async Task On_a_signal_every_line_that_was_sent_is_answered_and_the_connections_end()
    {
        using var child = Child.StartBeside("LineServer", "0");
        await child.Said("Listening on ");
        var port = int.Parse(Regex.Match(child.Output, @"Listening on .*:(\d+)").Groups[1].Value, CultureInfo.InvariantCulture);
        using var busy = await ConnectAsync(port);
        await busy.SayAsync("wait 3000\nand more\n");
        using var idle = await ConnectAsync(port);
        await idle.SayAsync("hello\n");
        Assert.Equal("HELLO\n", await idle.HearAsync());
        using var half = await ConnectAsync(port);
        await half.SayAsync("hel");
        child.Kill(Signal.Terminate);
        await idle.EndsAsync();
        await half.SayAsync("lo\n");
        Assert.Equal("HELLO AND BYE\n", await half.HearAsync());
        await half.EndsAsync();
        Assert.Equal("WAIT 3000 AND BYE\nAND MORE AND BYE\n", await busy.HearAllAsync());
        Assert.Equal(0, await child.ExitAsync());
        Assert.Contains("Left after SIGTERM", child.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task It_says_how_it_is_used()
    {
        using var child = Child.StartBeside("LineServer");
        Assert.Equal(64, await child.ExitAsync());
    }

    private static async Task<Socket> ConnectAsync(int port)
    {
        var client = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        await client.ConnectAsync(IPAddress.Loopback, port).Soon("The connection");
        return client;
    }
}
