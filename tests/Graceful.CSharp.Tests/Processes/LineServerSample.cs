using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text.RegularExpressions;
using Graceful.Tests.Activation;
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

    [Theory]
    [InlineData("--accept")]
    [InlineData("--accept", "--inetd")]
    public async Task A_connection_that_was_accepted_for_it_is_served_and_it_leaves_with_it(params string[] options)
    {
        using var activated = await SocketActivate.StartAsync(["127.0.0.1:0"], Sample("--accepted"), options);
        using (var client = await ConnectAsync(activated.Addresses[0]))
        {
            await client.SayAsync("hello\nwait 200\n");
            await client.SayAsync("hal");
            Assert.Equal("HELLO\n", await client.HearAsync());
            Assert.Equal("WAIT 200\n", await client.HearAsync());
            await client.SayAsync("f\n");
            Assert.Equal("HALF\n", await client.HearAsync());
        }

        await LeftWithItAsync(activated);
    }

    [Theory]
    [InlineData("--accept")]
    [InlineData("--accept", "--inetd")]
    public async Task A_client_that_resets_at_once_ends_it_in_order_too(params string[] options)
    {
        using var activated = await SocketActivate.StartAsync(["127.0.0.1:0"], Sample("--accepted"), options);
        using (var client = await ConnectAsync(activated.Addresses[0]))
        {
            client.LingerState = new LingerOption(enable: true, seconds: 0);
        }

        await LeftWithItAsync(activated);
    }

    [Fact]
    public async Task Sockets_of_the_service_manager_are_served_all()
    {
        var folder = Directory.CreateTempSubdirectory("graceful");
        using var activated = await SocketActivate.StartAsync(["127.0.0.1:0", Path.Combine(folder.FullName, "s")], Sample("--activated"));
        using var first = await ConnectAsync(activated.Addresses[0]);
        using var second = await ConnectAsync(activated.Addresses[1]);
        await first.SayAsync("one\n");
        await second.SayAsync("two\n");
        Assert.Equal("ONE\n", await first.HearAsync());
        Assert.Equal("TWO\n", await second.HearAsync());
        Assert.Equal(0, await activated.LeaveAsync());
        await first.EndsAsync();
        await second.EndsAsync();
        Assert.Equal(2, activated.Process.Output.Split("accepting stopped, 0 accepted in the last call").Length - 1);
        folder.Delete(recursive: true);
    }

    private static string[] Sample(params string[] options) => ["dotnet", Path.Combine(AppContext.BaseDirectory, "LineServer.dll"), .. options];

    private static async Task LeftWithItAsync(SocketActivate activated)
    {
        await activated.Process.Wrote("died with code");
        Assert.Contains("died with code 0", activated.Process.Output, StringComparison.Ordinal);
        await activated.Process.Wrote("Left after end of the served connection");
    }

    private static Task<Socket> ConnectAsync(int port) => ConnectAsync(new IPEndPoint(IPAddress.Loopback, port));

    private static async Task<Socket> ConnectAsync(EndPoint to)
    {
        var client = to is IPEndPoint
            ? new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true }
            : new Socket(to.AddressFamily, SocketType.Stream, ProtocolType.Unspecified);
        await client.ConnectAsync(to).Soon("The connection");
        return client;
    }
}
