using System.Net;
using System.Net.Sockets;
using Graceful.Posix;

namespace Graceful.Kestrel;

/// <summary>A listening socket that is the user's, and that others may hold as well.</summary>
/// <param name="socket">It listens.</param>
/// <param name="keep">Whether it stays open when the server leaves for this reason; null for no.</param>
internal sealed class KeptEndPoint(Socket socket, Func<StopReason, bool>? keep) : EndPoint
{
    private readonly string _text = socket.LocalEndPoint!.ToString()!;

    public Socket Socket => socket;

    public bool IsKept(StopReason reason) => keep?.Invoke(reason) ?? false;

    /// <exception cref="ArgumentException">It is not a stream socket that is bound and listens.</exception>
    public static KeptEndPoint Of(Socket listener, Func<StopReason, bool>? keep)
    {
        ArgumentNullException.ThrowIfNull(listener);
        if (listener.SocketType != SocketType.Stream)
        {
            throw Bad($"is one of type {listener.SocketType}");
        }

        if (listener.LocalEndPoint is null)
        {
            throw Bad("is not bound");
        }

        return !OperatingSystem.IsLinux() || SocketKind.Listens(listener) ? new KeptEndPoint(listener, keep) : throw Bad("does not listen");

        ArgumentException Bad(string what) =>
            new($"The socket {what}; allowed is a stream socket, TCP or Unix, after its Bind and its Listen.", nameof(listener));
    }

    /// <summary>Still known when the socket is closed.</summary>
    public override string ToString() => _text;
}
