using System.Net;
using Graceful.Core;
using Graceful.Engine;
using Graceful.Serving;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Graceful.Kestrel;

/// <summary>The transport for sockets that are the user's, or were given to this process: those that listen, and one that is connected.</summary>
internal sealed class KeptListenerFactory(IServiceProvider services, IOptions<SocketTransportOptions> transport, ILoggerFactory loggers)
    : IConnectionListenerFactory, IConnectionListenerFactorySelector
{
    private readonly ILogger _log = loggers.CreateLogger("Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets");

    private LifecycleEngine Engine => services.GetRequiredService<LifecycleEngine>();

    public bool CanBind(EndPoint endpoint) => endpoint is KeptEndPoint or AcceptedEndPoint;

    /// <exception cref="InvalidOperationException">The connection is served already.</exception>
    public ValueTask<IConnectionListener> BindAsync(EndPoint endpoint, CancellationToken cancellationToken = default) => new(endpoint switch
    {
        KeptEndPoint kept => new KeptListener(kept, e => Engine.Fail($"the listening socket {endpoint}", e), transport.Value, _log),
        AcceptedEndPoint accepted => (IConnectionListener)new AcceptedListener(accepted, () => Engine.Stop(Trigger.ConnectionEnded), transport.Value, _log),
        _ => throw new NotSupportedException($"{endpoint} is no socket that was given."),
    });
}
