using System.Net;
using System.Net.Sockets;

namespace Graceful.Kestrel;

/// <summary>A listening socket that is the user's, and that others may hold as well.</summary>
/// <param name="socket">It listens.</param>
/// <param name="keep">Whether it stays open when the server leaves for this reason; null for no.</param>
internal sealed class KeptEndPoint(Socket socket, Func<StopReason, bool>? keep) : EndPoint
{
    private const int SolSocket = 1;
    private const int SoAcceptConn = 30;

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

        return Listens(listener) ? new KeptEndPoint(listener, keep) : throw Bad("does not listen");

        ArgumentException Bad(string what) =>
            new($"The socket {what}; allowed is a stream socket, TCP or Unix, after its Bind and its Listen.", nameof(listener));
    }

    /// <summary>Still known when the socket is closed.</summary>
    public override string ToString() => _text;

    private static bool Listens(Socket socket)
    {
        if (!OperatingSystem.IsLinux())
        {
            return true;
        }

        Span<byte> listens = stackalloc byte[sizeof(int)];
        socket.GetRawSocketOption(SolSocket, SoAcceptConn, listens);
        return listens[0] != 0 || listens[^1] != 0;
    }
}
