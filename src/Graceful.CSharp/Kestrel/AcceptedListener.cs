using System.Net;
using System.Net.Sockets;
using Graceful.Core;
using Graceful.Engine;
using Graceful.Serving;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;
using Microsoft.Extensions.Logging;

namespace Graceful.Kestrel;

/// <summary>Gives the one connection to the first who accepts; the second waits until it has ended, and the server leaves then.</summary>
internal sealed class AcceptedListener(AcceptedEndPoint endpoint, Action ended, SocketTransportOptions transport, ILogger log) : IConnectionListener
{
    private readonly AcceptedConnection _connection = endpoint.Connection;
    private readonly SocketConnectionContextFactory _contexts = new(GivenTransport.Of(transport), log);
    private readonly CancellationTokenSource _unbound = new();
    private Socket? _socket = endpoint.Connection.TryTake()
        ?? throw new InvalidOperationException("The connection is served already; allowed is one that nobody has served yet.");

    public EndPoint EndPoint { get; } = endpoint.Address;

    /// <summary>It is let in, and may have been told from the beginning that it serves one request.</summary>
    public void Admit(TrackedConnection connection)
    {
        if (!_connection.KeepAlive)
        {
            connection.Apply(ConnectionEvent.Retire);
        }
    }

    public void End() => _connection.End();

    public async ValueTask<ConnectionContext?> AcceptAsync(CancellationToken cancellationToken = default)
    {
        if (Interlocked.Exchange(ref _socket, null) is { } socket)
        {
            // A client that went already is found out by whoever reads.
            _ = GivenTransport.TryPrepare(socket, EndPoint, transport);
            return _contexts.Create(socket);
        }

        using var end = CancellationTokenSource.CreateLinkedTokenSource(_unbound.Token, cancellationToken);
        try
        {
            await _connection.Ended.WaitAsync(end.Token).ConfigureAwait(false);
            ended();
        }
        catch (OperationCanceledException) when (_unbound.IsCancellationRequested)
        {
            // The server leaves for another reason.
        }

        return null;
    }

    public ValueTask UnbindAsync(CancellationToken cancellationToken = default)
    {
        _unbound.Cancel();
        return default;
    }

    public ValueTask DisposeAsync()
    {
        Interlocked.Exchange(ref _socket, null)?.Dispose();
        _contexts.Dispose();
        _unbound.Dispose();
        return default;
    }
}
