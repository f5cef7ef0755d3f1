using System.Net;
using Graceful.Engine;
using Microsoft.AspNetCore.Connections;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Graceful.Kestrel;

/// <summary>The transport for sockets that are the user's.</summary>
internal sealed class KeptListenerFactory(IServiceProvider services, ILoggerFactory loggers)
    : IConnectionListenerFactory, IConnectionListenerFactorySelector
{
    public bool CanBind(EndPoint endpoint) => endpoint is KeptEndPoint;

    public ValueTask<IConnectionListener> BindAsync(EndPoint endpoint, CancellationToken cancellationToken = default) => new(new KeptListener(
        (KeptEndPoint)endpoint,
        e => services.GetRequiredService<LifecycleEngine>().Fail($"the listening socket {endpoint}", e),
        loggers.CreateLogger("Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets")));
}
