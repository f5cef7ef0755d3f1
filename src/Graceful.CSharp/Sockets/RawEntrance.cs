using System.Net.Sockets;
using Graceful.Core;
using Graceful.Engine;
using Graceful.Serving;

namespace Graceful.Sockets;

/// <summary>How a connection that was accepted comes into a listener.</summary>
internal sealed class RawEntrance(LifecycleEngine engine, Roster roster, Mode mode, TimeSpan tcpKeepAlive)
{
    public LifecycleEngine Engine => engine;

    /// <param name="accepted">Closed when it does not come in.</param>
    /// <param name="closed">Hears that it is closed, when it came in.</param>
    /// <returns>Null when it went already, or nobody is let in any more.</returns>
    public GracefulConnection? Admit(Socket accepted, Action? closed = null)
    {
        try
        {
            if (accepted.AddressFamily != AddressFamily.Unix)
            {
                accepted.NoDelay = true;
                if (tcpKeepAlive != Timeout.InfiniteTimeSpan)
                {
                    TcpProbing.Set(accepted, tcpKeepAlive);
                }
            }

            var raw = new RawConnection(engine, roster, accepted, accepted.RemoteEndPoint) { Closed = closed };
            var connection = new GracefulConnection(raw, mode, engine.Options.TimeProvider);
            return roster.TryEnter(raw) ? connection : null;
        }
        catch (Exception e) when (e is SocketException or IOException)
        {
            accepted.Dispose();
            return null;
        }
    }
}
