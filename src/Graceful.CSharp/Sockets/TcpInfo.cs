using System.Net.Sockets;
using System.Runtime.InteropServices;

namespace Graceful.Sockets;

/// <summary>What the Linux kernel knows of one TCP connection: how quiet it is, and what is still on its way to the peer.</summary>
/// <param name="LastDataSent">
/// How long ago data was last sent, or the connection came to be if none was. Counted by the kernel in milliseconds, as fine as its tick
/// (1 to 10 ms).
/// </param>
/// <param name="LastDataReceived">
/// How long ago data was last received, read by us or not, or the connection came to be if none was. Counted like
/// <paramref name="LastDataSent"/>. A FIN alone is not data.
/// </param>
/// <param name="Unacked">Segments sent that the peer has not acknowledged yet; a FIN counts.</param>
/// <param name="NotSent">Bytes written that have not been sent once; always 0 before Linux 4.6, which does not tell.</param>
internal readonly record struct TcpInfo(TimeSpan LastDataSent, TimeSpan LastDataReceived, uint Unacked, uint NotSent)
{
    private const int IpProtoTcp = 6;
    private const int TcpInfoOption = 11;

    // Offsets in struct tcp_info, which only ever grows at its end. Linux 2.6 has it as far as LastDataReceived.
    private const int UnackedAt = 24;
    private const int LastDataSentAt = 44;
    private const int LastDataReceivedAt = 52;
    private const int PathMtuAt = 60;
    private const int NotSentAt = 144;
    private const int Wanted = NotSentAt + sizeof(uint);

    /// <summary>Whether the kernel tells of such a socket at all.</summary>
    public static bool IsToldOf(Socket socket) =>
        OperatingSystem.IsLinux() && socket.AddressFamily is (AddressFamily.InterNetwork or AddressFamily.InterNetworkV6);

    /// <summary>Asks the kernel about a connection: one system call, no allocation unless it fails. Any thread; never throws.</summary>
    /// <returns>False if it can't be told: not Linux, not TCP, or the socket is closed.</returns>
    public static bool TryRead(Socket socket, out TcpInfo info)
    {
        ArgumentNullException.ThrowIfNull(socket);
        info = default;
        Span<byte> raw = stackalloc byte[Wanted];
        if (!TryRead(socket, raw, atLeast: LastDataReceivedAt + sizeof(uint)))
        {
            return false;
        }

        info = new TcpInfo(
            TimeSpan.FromMilliseconds(UInt32At(raw, LastDataSentAt)),
            TimeSpan.FromMilliseconds(UInt32At(raw, LastDataReceivedAt)),
            UInt32At(raw, UnackedAt),
            UInt32At(raw, NotSentAt));
        return true;
    }

    /// <summary>Whether it has, or had, a way to a peer: one that was only bound has none. Any thread; never throws.</summary>
    public static bool KnowsAPath(Socket socket)
    {
        Span<byte> raw = stackalloc byte[Wanted];
        return TryRead(socket, raw, atLeast: PathMtuAt + sizeof(uint)) && UInt32At(raw, PathMtuAt) > 0;
    }

    private static bool TryRead(Socket socket, Span<byte> raw, int atLeast)
    {
        raw.Clear();
        if (!IsToldOf(socket))
        {
            return false;
        }

        try
        {
            return socket.GetRawSocketOption(IpProtoTcp, TcpInfoOption, raw) >= atLeast;
        }
        catch (SocketException)
        {
            return false;
        }
        catch (ObjectDisposedException)
        {
            return false;
        }
    }

    private static uint UInt32At(ReadOnlySpan<byte> raw, int offset) => MemoryMarshal.Read<uint>(raw[offset..]);
}
