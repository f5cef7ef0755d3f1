using System.Net;
using System.Net.Security;
using System.Net.Sockets;

namespace Graceful.Tests.RawSockets;

/// <summary>What is wrong is said, with what is allowed.</summary>
public sealed class Misuse
{
    [Fact]
    public async Task A_foreign_stream_is_none_of_ours_and_one_in_a_buffer_is()
    {
        await using var rig = new Rig(ConnectionMode.Manual);
        foreach (var act in new Action<Stream>[] { stream => GracefulListener.MarkInUse(stream), GracefulListener.MarkIdle, GracefulListener.Disown })
        {
            var error = Assert.Throws<ArgumentException>(() => act(new MemoryStream()));
            Assert.Contains("The stream is a MemoryStream; allowed is the GracefulConnection", error.Message, StringComparison.Ordinal);
            Assert.Throws<ArgumentNullException>(() => act(null!));
        }

        var (server, _) = await rig.PairAsync();
        await using var buffered = new BufferedStream(server);
        Assert.True(GracefulListener.MarkInUse(buffered));
        Assert.Equal(ConnectionPhase.Active, server.Phase);
    }

    [Fact]
    public async Task A_second_Disown_a_late_one_and_one_of_what_was_disposed_are_errors()
    {
        await using var rig = new Rig(ConnectionMode.Manual);
        var (twice, _) = await rig.PairAsync();
        twice.Disown();
        Assert.Contains("disowned already", Assert.Throws<InvalidOperationException>(twice.Disown).Message, StringComparison.Ordinal);
        var (closed, _) = await rig.PairAsync();
        Assert.Equal(1, rig.Listener.CloseIdle());
        Assert.Contains("closed the connection already", Assert.Throws<InvalidOperationException>(closed.Disown).Message, StringComparison.Ordinal);
        var (disposed, _) = await rig.PairAsync();
        await disposed.DisposeAsync();
        Assert.Throws<ObjectDisposedException>(disposed.Disown);
        Assert.Throws<ObjectDisposedException>(disposed.MarkIdle);
        Assert.Throws<ObjectDisposedException>(() => disposed.MarkInUse());
        Assert.Throws<ObjectDisposedException>(() => disposed.SetReadDeadline(TimeSpan.Zero));
        Assert.Throws<ObjectDisposedException>(() => disposed.Read(new byte[1]));
        Assert.Throws<ObjectDisposedException>(() => disposed.Write(new byte[1]));
        Assert.Throws<ObjectDisposedException>(() => disposed.Shutdown(SocketShutdown.Both));
        await disposed.DisposeAsync();
    }

    [Fact]
    public void A_socket_that_does_not_listen_is_refused()
    {
        using var unbound = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        Assert.Contains("is not bound", Refused(unbound), StringComparison.Ordinal);
        unbound.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        Assert.Contains("does not listen", Refused(unbound), StringComparison.Ordinal);
        using var datagrams = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
        Assert.Contains("is one of type Dgram", Refused(datagrams), StringComparison.Ordinal);
        Assert.Throws<ArgumentNullException>(() => new GracefulListener((Socket)null!, ConnectionMode.Manual));

        static string Refused(Socket socket) => Assert.Throws<ArgumentException>(() => new GracefulListener(socket, ConnectionMode.Manual)).Message;
    }

    [Fact]
    public void What_is_out_of_bounds_is_refused()
    {
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        socket.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        socket.Listen();
        var mode = Assert.Throws<ArgumentOutOfRangeException>(() => new GracefulListener(socket, (ConnectionMode)3));
        Assert.Contains("allowed is Manual, Automatic, Deadline", mode.Message, StringComparison.Ordinal);
        Assert.Contains("HandshakeLimit is 00:00:00", Refused(new() { HandshakeLimit = TimeSpan.Zero }), StringComparison.Ordinal);
        Assert.Contains("TcpKeepAlive is 00:00:00", Refused(new() { TcpKeepAlive = TimeSpan.Zero }), StringComparison.Ordinal);
        Assert.Contains("Tls has no certificate", Refused(new() { Tls = new SslServerAuthenticationOptions() }), StringComparison.Ordinal);

        string Refused(GracefulListenerOptions options) =>
            Assert.Throws<ArgumentException>(() => new GracefulListener(socket, ConnectionMode.Manual, options: options)).Message;
    }

    [Fact]
    public async Task Silence_is_not_less_than_zero()
    {
        await using var rig = new Rig(ConnectionMode.Manual);
        Assert.Throws<ArgumentOutOfRangeException>(() => rig.Listener.CloseIdle(TimeSpan.FromTicks(-1)));
    }

    [Fact]
    public async Task A_listener_that_comes_when_the_listeners_have_closed_is_refused()
    {
        await using var rig = new Rig(ConnectionMode.Manual);
        _ = await rig.LeaveAsync();
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        socket.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        socket.Listen();
        Assert.Throws<InvalidOperationException>(() => new GracefulListener(socket, ConnectionMode.Manual, rig.Graceful));
    }
}
