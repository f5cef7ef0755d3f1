using System.Net;
using Graceful.Core;
using Graceful.Engine;
using Graceful.Serving;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;
using Microsoft.Extensions.Logging;

namespace Graceful.Kestrel;

/// <summary>Gives the one connection to the first who accepts; the second waits until it has ended, and the server leaves then.</summary>
internal sealed class AcceptedListener(AcceptedEndPoint endpoint, Action ended, ILogger log) : IConnectionListener
{
    private readonly AcceptedConnection _connection = endpoint.Connection;
    private readonly SocketConnectionContextFactory _contexts = new(new SocketConnectionFactoryOptions(), log);
    private readonly CancellationTokenSource _unbound = new();

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
        if (_connection.TryTake() is { } socket)
        {
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
        _contexts.Dispose();
        _unbound.Dispose();
        return default;
    }
}
