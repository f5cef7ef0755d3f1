using System.Net.Sockets;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;

namespace Graceful.Kestrel;

/// <summary>
/// Catches the listening sockets that the socket transport creates. It binds synchronously on the caller's thread, so the
/// last one created there belongs to the listener that was just bound.
/// </summary>
internal static class BoundSockets
{
    [ThreadStatic]
    private static Socket? _last;

    public static void Watch(SocketTransportOptions options)
    {
        var create = options.CreateBoundListenSocket;
        options.CreateBoundListenSocket = endpoint => _last = create(endpoint);
    }

    /// <summary>Takes the socket that was created on this thread since the last call, if one was.</summary>
    public static Socket? Take()
    {
        var socket = _last;
        _last = null;
        return socket;
    }
}
