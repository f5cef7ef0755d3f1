using System.Net.Sockets;
using System.Runtime.InteropServices;
using Graceful.Posix;

namespace Graceful.Tests.Activation;

/// <summary>What LISTEN_FDS and its like say, and what the descriptors are.</summary>
public sealed partial class Reading : IDisposable
{
    private const int DuplicateAbove = 0;
    private const int First = 600;

    private readonly List<IDisposable> _open = [];
    private readonly List<int> _given = [];

    public void Dispose()
    {
        _open.ForEach(socket => socket.Dispose());
        _given.ForEach(descriptor => _ = Close(descriptor));
    }

    [Fact]
    public void Sockets_have_their_order_names_and_kinds()
    {
        var first = Give(Servers.Sockets.Listening(), Servers.Sockets.Listening(), Servers.Sockets.Listening());
        var activation = Read("3", "web:admin:web", first);
        Assert.Equal(["web", "admin", "web"], activation.Sockets.Select(socket => socket.Name));
        Assert.Equal([first, first + 1, first + 2], activation.Sockets.Select(socket => socket.Descriptor));
        Assert.Equal([first, first + 2], activation.Named("web").Select(socket => socket.Descriptor));
        Assert.Empty(activation.Named("Web"));
        Assert.All(activation.Sockets, socket => Assert.False(Descriptor.IsInherited(socket.Descriptor)));
        Assert.StartsWith("admin (127.0.0.1:", activation.Sockets[1].ToString(), StringComparison.Ordinal);
        var text = activation.Sockets[0].ToString();
        activation.Sockets[0].Socket.Dispose();
        Assert.Equal(text, activation.Sockets[0].ToString());
        Assert.NotNull(Descriptor.IsInherited(first));
    }

    [Fact]
    public void Without_names_all_are_unknown() => Assert.Equal("unknown", Assert.Single(Read("1", null, Give(Servers.Sockets.Listening())).Sockets).Name);

    [Fact]
    public async Task One_that_is_connected_is_a_connection()
    {
        using var listener = Servers.Sockets.Listening();
        using var client = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        await client.ConnectAsync(listener.LocalEndPoint!);
        var activation = Read("1", "connection", Give(await listener.AcceptAsync()));
        Assert.Empty(activation.Sockets);
        Assert.Equal(client.LocalEndPoint, activation.Connection!.RemoteEndPoint);
        _given.Clear();
        activation.Connection.Dispose();
    }

    [Fact]
    public void What_can_not_be_served_is_named()
    {
        Refused("is a socket of type Dgram", new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp));
        Refused("does not listen", new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp));
        Refused("is no socket but /", File.OpenHandle(typeof(Reading).Assembly.Location));
        Refused("does not listen", Connected());
    }

    [Fact]
    public void One_alone_that_is_bound_is_no_connection()
    {
        var bound = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        bound.Bind(new System.Net.IPEndPoint(System.Net.IPAddress.Loopback, 0));
        var first = Give(bound);
        var e = Assert.Throws<InvalidOperationException>(() => Read("1", "web", first));
        Assert.Contains($"the descriptor {first} ('web') does not listen; allowed are", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task One_that_was_reset_is_a_connection()
    {
        using var listener = Servers.Sockets.Listening();
        using var client = await Support.RawClient.ConnectAsync(listener.LocalEndPoint!);
        var accepted = await listener.AcceptAsync();
        client.Reset();
        await Support.Limits.Until(() => accepted.Poll(TimeSpan.Zero, SelectMode.SelectError) || accepted.Poll(TimeSpan.Zero, SelectMode.SelectRead), "the reset is there");
        var activation = Read("1", "connection", Give(accepted));
        Assert.NotNull(activation.Connection);
        Assert.Contains("UseAcceptedConnection", Assert.Throws<InvalidOperationException>(() => new GracefulOptions().UseSocketActivation(activation)).Message, StringComparison.Ordinal);
        _given.Clear();
        activation.Connection.Dispose();
    }

    [Fact]
    public void More_than_were_given_are_named()
    {
        var first = Give(Servers.Sockets.Listening());
        var e = Assert.Throws<InvalidOperationException>(() => Read("2", null, first));
        Assert.Contains($"LISTEN_FDS is 2, but the descriptor {first + 1} was not given", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void What_this_process_opened_itself_was_not_given()
    {
        using var own = Servers.Sockets.Listening();
        var e = Assert.Throws<InvalidOperationException>(() => Read("1", null, (int)own.Handle));
        Assert.Contains($"the descriptor {own.Handle} was not given", e.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("-1")]
    [InlineData("+1")]
    [InlineData("0x3")]
    [InlineData("99999999999")]
    [InlineData(" ")]
    public void A_number_that_is_none_is_named(string count)
    {
        var e = Assert.Throws<InvalidOperationException>(() => Read(count, null, 600));
        Assert.Contains($"LISTEN_FDS is '{count}'; allowed is a number of sockets from 0", e.Message, StringComparison.Ordinal);
    }

    private static SocketActivation Read(string count, string? names, int first) => SocketActivation.Read($"{Environment.ProcessId}", count, names, first);

    private static Socket Connected()
    {
        using var listener = Servers.Sockets.Listening();
        var client = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        client.Connect(listener.LocalEndPoint!);
        return client;
    }

    /// <summary>As the second of two, after one that is right.</summary>
    private void Refused(string what, IDisposable wrong)
    {
        var first = Give(Servers.Sockets.Listening(), wrong);
        var e = Assert.Throws<InvalidOperationException>(() => Read("2", "right:wrong", first));
        Assert.Contains($"the descriptor {first + 1} ('wrong') {what}", e.Message, StringComparison.Ordinal);
        Assert.Contains("allowed are", e.Message, StringComparison.Ordinal);
    }

    /// <summary>Descriptors as an exec leaves them behind, one after the other; the first of them. What others have open is left alone.</summary>
    private int Give(params IDisposable[] things)
    {
        _open.AddRange(things);
        var own = things.Select(thing => (int)(thing is Socket socket ? socket.Handle : ((SafeHandle)thing).DangerousGetHandle())).ToList();
        var above = First;
        while (true)
        {
            var given = own.ConvertAll(descriptor => Control(descriptor, DuplicateAbove, above));
            Assert.All(given, descriptor => Assert.True(descriptor >= First));
            if (given[^1] == given[0] + given.Count - 1)
            {
                _given.AddRange(given);
                return given[0];
            }

            // Somebody else's is among them.
            given.ForEach(descriptor => _ = Close(descriptor));
            above = given[^1] + 1;
        }
    }

    [LibraryImport("libc", EntryPoint = "fcntl", SetLastError = true)]
    private static partial int Control(int descriptor, int command, int argument);

    [LibraryImport("libc", EntryPoint = "close", SetLastError = true)]
    private static partial int Close(int descriptor);
}
