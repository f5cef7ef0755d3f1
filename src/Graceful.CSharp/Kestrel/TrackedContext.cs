using System.Collections;
using System.IO.Pipelines;
using System.Net;
using Graceful.Core;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Http.Features;

namespace Graceful.Kestrel;

/// <summary>
/// The transport's connection as Kestrel sees it: the same in all but three features, and its disposal is the end that the
/// word waits for. It is its own feature collection, so that a request finds its <see cref="KestrelConnection"/> at once.
/// </summary>
internal sealed class TrackedContext(ConnectionContext transport, KestrelConnection connection)
    : ConnectionContext, IFeatureCollection, IConnectionHeartbeatFeature
{
    private readonly IFeatureCollection _features = transport.Features;
    private IConnectionHeartbeatFeature? _heartbeat;

    public override string ConnectionId
    {
        get => transport.ConnectionId;
        set => transport.ConnectionId = value;
    }

    public override IFeatureCollection Features => this;

    public override IDictionary<object, object?> Items
    {
        get => transport.Items;
        set => transport.Items = value;
    }

    public override IDuplexPipe Transport
    {
        get => transport.Transport;
        set => transport.Transport = value;
    }

    public override EndPoint? LocalEndPoint
    {
        get => transport.LocalEndPoint;
        set => transport.LocalEndPoint = value;
    }

    public override EndPoint? RemoteEndPoint
    {
        get => transport.RemoteEndPoint;
        set => transport.RemoteEndPoint = value;
    }

    public override CancellationToken ConnectionClosed
    {
        get => transport.ConnectionClosed;
        set => transport.ConnectionClosed = value;
    }

    bool IFeatureCollection.IsReadOnly => _features.IsReadOnly;

    int IFeatureCollection.Revision => _features.Revision;

    object? IFeatureCollection.this[Type key]
    {
        get => key == typeof(KestrelConnection) ? connection : _features[key];
        set => _features[key] = value;
    }

    public override void Abort() => transport.Abort();

    public override void Abort(ConnectionAbortedException abortReason) => transport.Abort(abortReason);

    public override async ValueTask DisposeAsync()
    {
        try
        {
            await transport.DisposeAsync().ConfigureAwait(false);
            await base.DisposeAsync().ConfigureAwait(false);
        }
        finally
        {
            connection.Apply(ConnectionEvent.Ended);
        }
    }

    TFeature? IFeatureCollection.Get<TFeature>()
        where TFeature : default =>
        typeof(TFeature) == typeof(KestrelConnection) ? (TFeature)(object)connection : _features.Get<TFeature>();

    void IFeatureCollection.Set<TFeature>(TFeature? instance)
        where TFeature : default
    {
        switch (instance)
        {
            case IConnectionHeartbeatFeature heartbeat when typeof(TFeature) == typeof(IConnectionHeartbeatFeature):
                _heartbeat = heartbeat;
                _features.Set<IConnectionHeartbeatFeature>(this);
                break;
            case IConnectionLifetimeNotificationFeature lifetime when typeof(TFeature) == typeof(IConnectionLifetimeNotificationFeature):
                connection.Lifetime = lifetime;
                _features.Set(instance);
                break;
            default:
                _features.Set(instance);
                break;
        }
    }

    // Kestrel's HTTP layer registers its tick here; we keep it, so that HTTP/2 need not wait for the next second.
    void IConnectionHeartbeatFeature.OnHeartbeat(Action<object> action, object state)
    {
        connection.Tick ??= () => action(state);
        _heartbeat?.OnHeartbeat(action, state);
    }

    IEnumerator<KeyValuePair<Type, object>> IEnumerable<KeyValuePair<Type, object>>.GetEnumerator() => _features.GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => _features.GetEnumerator();
}
