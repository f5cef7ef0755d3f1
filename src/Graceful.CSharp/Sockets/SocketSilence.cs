using System.Net.Sockets;

namespace Graceful.Sockets;

/// <summary>How quiet a connection is, as far as its socket tells.</summary>
internal static class SocketSilence
{
    /// <summary>For how long nothing has travelled either way. Never throws.</summary>
    /// <param name="socket">The connection's.</param>
    /// <param name="sinceEdge">How long ago it became busy or idle: all that is known where the kernel does not tell.</param>
    /// <param name="pending">Whether bytes still wait to be sent, or to be acknowledged.</param>
    public static TimeSpan Of(Socket socket, TimeSpan sinceEdge, out bool pending)
    {
        pending = false;
        var isTold = TcpInfo.TryRead(socket, out var tcp);
        if (HasUnreadBytes(socket))
        {
            // A request that nobody had time to read yet is not silence.
            return TimeSpan.Zero;
        }

        if (!isTold)
        {
            return sinceEdge;
        }

        // A response that just ended may not have reached the kernel yet, which then knows of nothing for as long as the
        // request took.
        pending = IsPending(tcp);
        var quietFor = tcp.LastDataReceived < tcp.LastDataSent ? tcp.LastDataReceived : tcp.LastDataSent;
        return sinceEdge < quietFor ? sinceEdge : quietFor;
    }

    /// <summary>Whether bytes of ours have not arrived yet.</summary>
    public static bool IsPending(Socket socket) => TcpInfo.TryRead(socket, out var tcp) && IsPending(tcp);

    public static bool HasUnreadBytes(Socket socket)
    {
        try
        {
            return socket.Available > 0;
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            return false;
        }
    }

    private static bool IsPending(in TcpInfo tcp) => tcp.Unacked > 0 || tcp.NotSent > 0;
}
