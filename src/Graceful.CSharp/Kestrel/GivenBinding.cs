using Graceful.Engine;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.Extensions.DependencyInjection;

namespace Graceful.Kestrel;

/// <summary>Ties what was given to this process to the host: the server says where it listens in truth, and a start that leaves something unserved fails.</summary>
internal sealed class GivenBinding(GivenListeners given, IServiceProvider services) : HostedPart
{
    public override Task StartingAsync(CancellationToken cancellationToken)
    {
        if (given.IsAnything && services.GetService<IServer>() is { } server && server.Features.Get<IServerAddressesFeature>() is { } addresses)
        {
            server.Features.Set<IServerAddressesFeature>(new GivenAddresses(addresses, given));
        }

        return Task.CompletedTask;
    }

    public override Task StartedAsync(CancellationToken cancellationToken) => given.IsAnything ? given.CompleteAsync() : Task.CompletedTask;
}
