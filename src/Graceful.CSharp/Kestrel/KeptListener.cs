using System.Net;
using System.Net.Sockets;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;
using Microsoft.Extensions.Logging;

namespace Graceful.Kestrel;

/// <summary>
/// Accepts from a socket that is the user's and, unless it is let go, does not close it, so that it can be served from again. Kestrel's
/// own listener for a borrowed descriptor can't do that: one that is accepted from twice in a process fails in the runtime's event loop.
/// </summary>
internal sealed class KeptListener(KeptEndPoint endpoint, Action<Exception> failed, ILogger log) : IConnectionListener
{
    /// <summary>How long to wait when the process or the system has no descriptor left.</summary>
    private static readonly TimeSpan Breath = TimeSpan.FromMilliseconds(50);

    private readonly SocketConnectionContextFactory _connections = new(new SocketConnectionFactoryOptions(), log);
    private readonly CancellationTokenSource _unbound = new();
    private bool _letGo;

    public EndPoint EndPoint { get; } = endpoint.Socket.LocalEndPoint!;

    public Socket Socket => endpoint.Socket;

    /// <summary>Whether its owner goes on with the socket; if not, it is closed as soon as nobody is accepted any more.</summary>
    public bool IsKept(StopReason reason)
    {
        var kept = endpoint.IsKept(reason);
        Volatile.Write(ref _letGo, !kept);
        return kept;
    }

    public async ValueTask<ConnectionContext?> AcceptAsync(CancellationToken cancellationToken = default)
    {
        using var end = CancellationTokenSource.CreateLinkedTokenSource(_unbound.Token, cancellationToken);
        while (true)
        {
            try
            {
                var accepted = await Socket.AcceptAsync(end.Token).ConfigureAwait(false);
                if (EndPoint is IPEndPoint)
                {
                    accepted.NoDelay = true;
                }

                return _connections.Create(accepted);
            }
            catch (OperationCanceledException) when (_unbound.IsCancellationRequested)
            {
                return null;
            }
            catch (SocketException e) when (e.SocketErrorCode is SocketError.ConnectionAborted or SocketError.ConnectionReset or SocketError.Interrupted)
            {
                // It went while it waited in the queue.
            }
            catch (SocketException e) when (e.SocketErrorCode is SocketError.TooManyOpenSockets or SocketError.NoBufferSpaceAvailable)
            {
                await Task.Delay(Breath, end.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
            catch (Exception e) when (e is SocketException or ObjectDisposedException)
            {
                // Somebody closed it: there is nobody to serve any more.
                failed(e);
                return null;
            }
        }
    }

    public ValueTask UnbindAsync(CancellationToken cancellationToken = default)
    {
        _unbound.Cancel();
        if (Volatile.Read(ref _letGo))
        {
            Socket.Dispose();
        }

        return default;
    }

    public ValueTask DisposeAsync()
    {
        _connections.Dispose();
        _unbound.Dispose();
        return default;
    }
}
