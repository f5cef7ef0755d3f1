using System.Net.Sockets;
using System.Text;

namespace Graceful.Platform;

/// <summary>
/// The datagram socket on which a service manager listens. Not connected: a manager that binds it anew is found again.
/// </summary>
internal sealed class NotifySocket : IDisposable
{
    private readonly Socket _socket;
    private readonly UnixDomainSocketEndPoint _manager;

    /// <param name="address">An absolute path, or '@' and the name of an abstract socket.</param>
    /// <exception cref="ArgumentException">The address is neither, or too long.</exception>
    /// <exception cref="SocketException">There are no such sockets here.</exception>
    public NotifySocket(string address)
    {
        if (address.Length < 2 || address[0] is not ('/' or '@'))
        {
            throw new ArgumentException($"NOTIFY_SOCKET is '{address}'; allowed is an absolute path, or '@' and the name of an abstract socket");
        }

        try
        {
            _manager = new UnixDomainSocketEndPoint(address[0] == '@' ? $"\0{address.AsSpan(1)}" : address);
        }
        catch (ArgumentOutOfRangeException)
        {
            throw new ArgumentException($"NOTIFY_SOCKET is '{address}', which is longer than the system allows");
        }

        _socket = new Socket(AddressFamily.Unix, SocketType.Dgram, ProtocolType.Unspecified) { Blocking = false };
    }

    /// <summary>Sends one datagram, or does not; never waits.</summary>
    /// <returns>Why it was not sent; null when it was. <see cref="SocketError.WouldBlock"/>: the queue of the manager is full.</returns>
    public SocketException? TrySend(string text)
    {
        try
        {
            _socket.SendTo(Encoding.UTF8.GetBytes(text), _manager);
            return null;
        }
        catch (SocketException e)
        {
            return e;
        }
    }

    public void Dispose() => _socket.Dispose();
}
