using System.Net.Sockets;

namespace Graceful.Sockets;

/// <summary>The last bytes of a connection, which its peer must not read without hearing that they are the last.</summary>
internal static class LastBytes
{
    private const int ProtocolTcp = 6;
    private const int TcpCork = 3;

    /// <summary>
    /// What is written from now on comes with the end: over TCP both travel together (TCP_CORK, Linux only), when a segment is full, the socket is shut
    /// down, or in a fifth of a second. Over a Unix socket nothing can be sent to us any more, so that whoever has read them fails to write, and
    /// knows that nothing of it was heard. Never throws.
    /// </summary>
    /// <param name="socket">The connection's, from which nothing more is wanted; null where it has none.</param>
    public static void Follow(Socket? socket)
    {
        if (socket is { ProtocolType: ProtocolType.Tcp } && OperatingSystem.IsLinux())
        {
            socket.UnlessGone(static socket => socket.SetRawSocketOption(ProtocolTcp, TcpCork, BitConverter.GetBytes(1)));
        }
        else if (socket is { AddressFamily: AddressFamily.Unix })
        {
            socket.UnlessGone(static socket => socket.Shutdown(SocketShutdown.Receive));
        }
    }
}
