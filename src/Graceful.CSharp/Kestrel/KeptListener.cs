using System.Net;
using System.Net.Sockets;
using Graceful.Sockets;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;
using Microsoft.Extensions.Logging;

namespace Graceful.Kestrel;

/// <summary>
/// Accepts from a socket that is the user's and, unless it is let go, does not close it, so that it can be served from again. Kestrel's
/// own listener for a borrowed descriptor can't do that: one that is accepted from twice in a process fails in the runtime's event loop.
/// </summary>
internal sealed class KeptListener(KeptEndPoint endpoint, Action<Exception> failed, SocketTransportOptions transport, ILogger log) : IConnectionListener
{
    private readonly SocketConnectionContextFactory _connections = new(GivenTransport.Of(transport), log);
    private readonly CancellationTokenSource _unbound = new();
    private bool _letGo;

    public EndPoint EndPoint { get; } = endpoint.Socket.LocalEndPoint!;

    public Socket Socket => endpoint.Socket;

    /// <summary>
    /// Whether its owner goes on with the socket; if not, it is closed as soon as nobody is accepted any more. The owner is asked on the
    /// thread pool, and may take as long as the way out.
    /// </summary>
    /// <exception cref="OperationCanceledException">The token fired before the answer: the socket stays open.</exception>
    public async Task<bool> IsKeptAsync(StopReason reason, CancellationToken cancellationToken)
    {
        var kept = await Task.Run(() => endpoint.IsKept(reason), CancellationToken.None).WaitAsync(cancellationToken).ConfigureAwait(false);
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
                if (GivenTransport.TryPrepare(accepted, EndPoint, transport))
                {
                    return _connections.Create(accepted);
                }

                accepted.Dispose();
            }
            catch (Exception e) when (_unbound.IsCancellationRequested && (e is OperationCanceledException || AcceptErrors.IsGone(e)))
            {
                return null;
            }
            catch (SocketException e) when (AcceptErrors.IsOfANewcomer(e))
            {
                // It went while it waited in the queue.
            }
            catch (Exception e) when (AcceptErrors.IsGone(e))
            {
                // There is nobody to serve any more.
                failed(e);
                return null;
            }
            catch (SocketException)
            {
                // Of this connection only, or for the moment: accept(2) says what has become of a newcomer's network too.
                await Task.Delay(AcceptErrors.Breath, end.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
    }

    public ValueTask UnbindAsync(CancellationToken cancellationToken = default)
    {
        _unbound.Cancel();
        if (Volatile.Read(ref _letGo))
        {
            UnixListener.Close(Socket);
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
