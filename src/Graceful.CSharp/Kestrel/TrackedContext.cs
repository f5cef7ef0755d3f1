using System.IO.Pipelines;
using System.Net;
using System.Net.Sockets;
using System.Runtime.CompilerServices;
using Graceful.Core;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace Graceful.Kestrel;

/// <summary>
/// The transport's connection as Kestrel sees it: the same, but that its disposal is the end that the word waits for, and
/// that its heartbeat passes by us, and over a Unix socket what is read of HTTP as well. The features stay the transport's own, because requests look
/// things up in them.
/// </summary>
internal sealed class TrackedContext : ConnectionContext, IConnectionHeartbeatFeature
{
    private readonly ConnectionContext _transport;
    private readonly KestrelConnection _connection;
    private readonly Action? _ended;
    private IConnectionHeartbeatFeature? _heartbeat;

    public TrackedContext(ConnectionContext transport, KestrelConnection connection, Action? ended)
    {
        _transport = transport;
        _connection = connection;
        _ended = ended;
        transport.Features[typeof(KestrelConnection)] = connection;
        if (connection.Socket is { AddressFamily: AddressFamily.Unix } socket)
        {
            connection.Reader = new LastReader(transport.Transport.Input, connection, socket);
            transport.Transport = new Pipes(connection.Reader, transport.Transport.Output);
            transport.ConnectionClosed.UnsafeRegister(static connection => InputEnded((KestrelConnection)connection!), connection);
        }
    }

    public override string ConnectionId
    {
        get => _transport.ConnectionId;
        set => _transport.ConnectionId = value;
    }

    /// <summary>
    /// Read a few times while Kestrel takes the connection up, first to set features of its own: what we need of these is
    /// taken as soon as it is there, and that is before the HTTP layer looks for it.
    /// </summary>
    public override IFeatureCollection Features
    {
        get
        {
            var features = _transport.Features;
            _connection.Lifetime ??= features.Get<IConnectionLifetimeNotificationFeature>();
            if (_heartbeat is null && features.Get<IConnectionHeartbeatFeature>() is { } heartbeat)
            {
                _heartbeat = heartbeat;
                features.Set<IConnectionHeartbeatFeature>(this);
            }

            return features;
        }
    }

    public override IDictionary<object, object?> Items
    {
        get => _transport.Items;
        set => _transport.Items = value;
    }

    public override IDuplexPipe Transport
    {
        get => _transport.Transport;
        set => _transport.Transport = value;
    }

    public override EndPoint? LocalEndPoint
    {
        get => _transport.LocalEndPoint;
        set => _transport.LocalEndPoint = value;
    }

    public override EndPoint? RemoteEndPoint
    {
        get => _transport.RemoteEndPoint;
        set => _transport.RemoteEndPoint = value;
    }

    public override CancellationToken ConnectionClosed
    {
        get => _connection.Reader?.Closed.Token ?? _transport.ConnectionClosed;
        set => _transport.ConnectionClosed = value;
    }

    public override void Abort()
    {
        _transport.Abort();
        _connection.SayClosed();
    }

    public override void Abort(ConnectionAbortedException abortReason)
    {
        _transport.Abort(abortReason);
        _connection.SayClosed();
    }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder))]
    public override async ValueTask DisposeAsync()
    {
        try
        {
            await _transport.DisposeAsync().ConfigureAwait(false);
            await base.DisposeAsync().ConfigureAwait(false);
        }
        finally
        {
            _connection.SayClosed();
            _connection.Apply(ConnectionEvent.Ended);
            _ended?.Invoke();
        }
    }

    /// <summary>What comes is at its end. Kestrel takes that for the client's, and aborts whatever is in flight.</summary>
    private static void InputEnded(KestrelConnection connection)
    {
        if (!connection.Reader!.IsShut)
        {
            connection.SayClosed();
        }
    }

    // Kestrel's HTTP layer registers its tick here; we keep it, so that HTTP/2 need not wait for the next second.
    void IConnectionHeartbeatFeature.OnHeartbeat(Action<object> action, object state)
    {
        if (state.GetType().Assembly == typeof(KestrelServerOptions).Assembly)
        {
            _connection.Tick ??= () => action(state);
        }

        _heartbeat!.OnHeartbeat(action, state);
    }

    private sealed class Pipes(PipeReader input, PipeWriter output) : IDuplexPipe
    {
        public PipeReader Input => input;

        public PipeWriter Output => output;
    }
}
