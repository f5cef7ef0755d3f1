using System.Net.Sockets;
using Graceful.Sockets;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;

namespace Graceful.Kestrel;

/// <summary>
/// Gives the socket transport a long accept queue and Unix sockets of ours, and catches the listening sockets that it creates. It
/// binds synchronously on the caller's thread, so the last one created there belongs to the listener that was just bound.
/// </summary>
internal static class BoundSockets
{
    private const int KestrelsDefaultBacklog = 512;

    [ThreadStatic]
    private static Socket? _last;

    /// <param name="options">Those of the socket transport.</param>
    /// <param name="unixSocketMode">The permissions of a Unix socket's file; null for what the umask says.</param>
    public static void Watch(SocketTransportOptions options, UnixFileMode? unixSocketMode = null)
    {
        // A full accept queue drops the last step of handshakes, and clients that believe they are connected are lost
        // when the listener closes. So the queue is as long as the system allows, unless the user chose its length.
        if (options.Backlog == KestrelsDefaultBacklog)
        {
            options.Backlog = int.MaxValue;
        }

        var create = options.CreateBoundListenSocket;
        var isOurs = create == SocketTransportOptions.CreateDefaultBoundListenSocket;
        options.CreateBoundListenSocket = endpoint => _last = endpoint is UnixDomainSocketEndPoint unix && isOurs
            ? UnixListener.Open(unix, unixSocketMode, options.Backlog)
            : Remembered(create(endpoint));
    }

    private static Socket Remembered(Socket socket)
    {
        UnixListener.Remember(socket);
        return socket;
    }

    /// <summary>Takes the socket that was created on this thread since the last call, if one was.</summary>
    public static Socket? Take()
    {
        var socket = _last;
        _last = null;
        return socket;
    }
}
