using System.Net.Sockets;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;

namespace Graceful.Kestrel;

/// <summary>
/// Gives the socket transport a long accept queue, and catches the listening sockets that it creates. It binds
/// synchronously on the caller's thread, so the last one created there belongs to the listener that was just bound.
/// </summary>
internal static class BoundSockets
{
    private const int KestrelsDefaultBacklog = 512;

    [ThreadStatic]
    private static Socket? _last;

    public static void Watch(SocketTransportOptions options)
    {
        // A full accept queue drops the last step of handshakes, and clients that believe they are connected are lost
        // when the listener closes. So the queue is as long as the system allows, unless the user chose its length.
        if (options.Backlog == KestrelsDefaultBacklog)
        {
            options.Backlog = int.MaxValue;
        }

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
