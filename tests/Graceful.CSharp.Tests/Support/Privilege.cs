using System.Net.Sockets;
using Graceful.Sockets;

namespace Graceful.Tests.Support;

/// <summary>What this user may do here: newer kernels allow socket filters to administrators of the network only.</summary>
internal static class Privilege
{
    public static bool ToFilter { get; } = MayFilter();

    private static bool MayFilter()
    {
        using var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            IntakeStop.AttachFilter(socket);
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }
}
