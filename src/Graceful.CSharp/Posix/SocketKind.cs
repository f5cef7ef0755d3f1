using System.Net.Sockets;
using System.Runtime.InteropServices;
using Graceful.Sockets;

namespace Graceful.Posix;

/// <summary>What a descriptor that somebody gave us is good for.</summary>
internal static class SocketKind
{
    private const int SolSocket = 1;
    private const int SoAcceptConn = 30;

    /// <summary>The descriptor as a socket, if it is a stream socket: TCP, TCP over IPv6 or Unix.</summary>
    /// <param name="descriptor">Its number.</param>
    /// <param name="owned">Whether the descriptor is closed with the socket.</param>
    /// <param name="what">What it is instead, in words.</param>
    public static Socket? Stream(int descriptor, bool owned, out string? what)
    {
        what = null;
        var target = Descriptor.Target(descriptor);
        if (target is null || !target.StartsWith("socket:", StringComparison.Ordinal))
        {
            what = target is null ? "is not open" : $"is no socket but {target}";
            return null;
        }

        Socket socket;
        try
        {
            socket = new Socket(new SafeSocketHandle(descriptor, ownsHandle: false));
        }
        catch (SocketException e)
        {
            what = $"can't be used as a socket: {e.Message}";
            return null;
        }

        if (socket.SocketType != SocketType.Stream)
        {
            what = $"is a socket of type {socket.SocketType}";
        }
        else if (socket.AddressFamily is not (AddressFamily.InterNetwork or AddressFamily.InterNetworkV6 or AddressFamily.Unix))
        {
            what = $"is a socket of the family {socket.AddressFamily}";
        }
        else
        {
            return owned ? new Socket(new SafeSocketHandle(descriptor, ownsHandle: true)) : socket;
        }

        return null;
    }

    /// <summary>Whether it listens, as far as can be told: only Linux is asked.</summary>
    public static bool Listens(Socket socket)
    {
        if (!OperatingSystem.IsLinux())
        {
            return false;
        }

        var listens = 0;
        socket.GetRawSocketOption(SolSocket, SoAcceptConn, MemoryMarshal.AsBytes(new Span<int>(ref listens)));
        return listens != 0;
    }

    /// <summary>Whether it has, or had, a peer. The kernel forgets the peer of a TCP connection that was reset, but not how large its segments could be.</summary>
    public static bool IsOrWasConnected(Socket socket) => socket.Connected || TcpInfo.KnowsAPath(socket);
}
