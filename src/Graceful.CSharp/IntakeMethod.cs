namespace Graceful;

/// <summary>How newcomers are kept out of a TCP listening socket while the connections already in it are still taken.</summary>
/// <remarks>
/// Closing a listening socket resets every connection in its accept queue, and every client whose handshake is half done. So before a
/// listener is closed its door is shut: no new handshake begins, those half done get a moment to finish, and what is queued is accepted
/// and served.
/// </remarks>
public enum IntakeMethod
{
    /// <summary>
    /// A socket filter drops the packets that ask for a new connection. A client that comes now asks again after a second, and is then
    /// refused. No client that got through loses its connection. Linux; kernels since mid-2026 want <c>CAP_NET_ADMIN</c> for it.
    /// </summary>
    SynFilter,

    /// <summary>
    /// The listening socket is bound to a network interface that does not exist, so that no new connection reaches it. A client that
    /// comes now is refused at once, as if the socket were closed. No client that got through loses its connection, unless the kernel
    /// answered it with a SYN cookie a moment before, as it does when more handshakes are half done than the backlog holds. Linux 5.7 or
    /// newer; needs no privilege, unless the socket is already bound to an interface.
    /// </summary>
    Unplug,

    /// <summary>
    /// Nothing keeps newcomers out: the accept queue is emptied, and the socket is closed directly after. Works everywhere. A client that
    /// arrives between the two, or whose handshake is half done, is reset.
    /// </summary>
    LastCall,
}
