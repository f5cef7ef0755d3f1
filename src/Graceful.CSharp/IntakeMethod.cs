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
    /// refused. Linux; since mid-2026 kernels want <c>CAP_NET_ADMIN</c> for it. No client loses a connection.
    /// </summary>
    SynFilter,

    /// <summary>
    /// The listening socket is bound to a network interface that does not exist, so that no new connection can reach it. A client that
    /// comes now is refused at once, as if the socket were closed. Linux 5.7 or newer, no privilege needed, unless the socket is bound to
    /// an interface of its own. No client loses a connection, unless the kernel is answering with SYN cookies at that very moment.
    /// </summary>
    Unplug,

    /// <summary>
    /// Nothing keeps newcomers out: the accept queue is emptied, and the socket is closed directly after. Works everywhere. A client that
    /// arrives between the two, or whose handshake is half done, is reset.
    /// </summary>
    LastCall,
}
