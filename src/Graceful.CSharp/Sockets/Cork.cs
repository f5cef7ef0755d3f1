using System.Net.Sockets;

namespace Graceful.Sockets;

/// <summary>Keeps the kernel from sending the last bytes of a connection before its end can travel with them (TCP_CORK). Linux and TCP only.</summary>
internal static class Cork
{
    private const int ProtocolTcp = 6;
    private const int TcpCork = 3;

    /// <summary>What is written from now on goes out when a segment is full, when the socket is shut down, or in a fifth of a second. Never throws.</summary>
    /// <param name="socket">The connection's; null where it has none.</param>
    public static void Put(Socket? socket)
    {
        if (socket is { ProtocolType: ProtocolType.Tcp } && OperatingSystem.IsLinux())
        {
            try
            {
                socket.SetRawSocketOption(ProtocolTcp, TcpCork, BitConverter.GetBytes(1));
            }
            catch (Exception e) when (e is SocketException or ObjectDisposedException)
            {
                // The client was faster.
            }
        }
    }
}
