using System.Net;
using System.Net.Sockets;
using Graceful.Sockets;

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
        ListeningSocket.Check(listener, nameof(listener));
        UnixListener.Remember(listener);
        return new KeptEndPoint(listener, keep);
    }

    /// <summary>Still known when the socket is closed.</summary>
    public override string ToString() => _text;
}
