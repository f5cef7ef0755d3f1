using System.Net;
using Graceful.Engine;
using Graceful.Sockets;
using Microsoft.AspNetCore.Connections;
using Microsoft.Extensions.Logging;

namespace Graceful.Kestrel;

/// <summary>A transport whose connections are tracked and whose listeners we close.</summary>
internal sealed class TrackedListenerFactory(
    IConnectionListenerFactory transport,
    LifecycleEngine engine,
    GracefulOptions options,
    GivenListeners? given,
    ILoggerFactory loggers) : IConnectionListenerFactory, IConnectionListenerFactorySelector
{
    public bool CanBind(EndPoint endpoint) =>
        transport is not IConnectionListenerFactorySelector selector || selector.CanBind(endpoint);

    public async ValueTask<IConnectionListener> BindAsync(EndPoint endpoint, CancellationToken cancellationToken = default) =>
        (given is null ? null : await given.InPlaceOfAsync(endpoint).ConfigureAwait(false)) ?? await ListenAsync(endpoint, cancellationToken).ConfigureAwait(false);

    private async ValueTask<IConnectionListener> ListenAsync(EndPoint endpoint, CancellationToken cancellationToken)
    {
        BoundSockets.Take();
        var binding = transport.BindAsync(endpoint, cancellationToken);
        var bound = BoundSockets.Take();
        var socket = bound ?? (endpoint as KeptEndPoint)?.Socket;
        var borrowed = endpoint is FileHandleEndPoint || (socket is not null && ActivatedSocket.IsOf(socket));
        var listener = new TrackedListener(
            await binding.ConfigureAwait(false), socket, borrowed, engine, options, loggers, bound is null ? null : UnixListener.FileOf(bound));
        _ = engine.Intakes.TryAdd(listener);
        return listener;
    }
}
