using System.Net.Sockets;

namespace Graceful.Sockets;

/// <summary>Calls on a socket whose peer, or whose user, may be faster.</summary>
internal static class SocketCalls
{
    /// <summary>Does it; a socket that is closed already, or was never one that this can be done to, is left as it is.</summary>
    public static void UnlessGone(this Socket socket, Action<Socket> call)
    {
        try
        {
            call(socket);
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // What was to be done is done, or not wanted any more.
        }
    }
}
