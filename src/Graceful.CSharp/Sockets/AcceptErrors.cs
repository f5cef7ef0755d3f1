using System.Net.Sockets;

namespace Graceful.Sockets;

/// <summary>What an accept that failed says of the listening socket.</summary>
internal static class AcceptErrors
{
    /// <summary>How long to wait before the next try when the network, the process or the system is in trouble.</summary>
    public static readonly TimeSpan Breath = TimeSpan.FromMilliseconds(50);

    /// <summary>Whether somebody closed the socket, or it does not listen any more.</summary>
    public static bool IsGone(Exception e) => e is ObjectDisposedException
        or SocketException { SocketErrorCode: SocketError.OperationAborted or SocketError.NotSocket or SocketError.InvalidArgument };

    /// <summary>Whether it was only a newcomer who went while he waited in the queue.</summary>
    public static bool IsOfANewcomer(SocketException e) =>
        e.SocketErrorCode is SocketError.ConnectionAborted or SocketError.ConnectionReset or SocketError.Interrupted;
}
