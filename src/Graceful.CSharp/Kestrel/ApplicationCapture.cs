using Graceful.FastCgi;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Http.Features;

namespace Graceful.Kestrel;

/// <summary>Kestrel, and whoever else serves gets to know the application that it is given.</summary>
internal sealed class ApplicationCapture(IServer kestrel, FastCgiServer fastCgi) : IServer
{
    public IServer Kestrel => kestrel;

    public IFeatureCollection Features => kestrel.Features;

    public Task StartAsync<TContext>(IHttpApplication<TContext> application, CancellationToken cancellationToken)
        where TContext : notnull
    {
        fastCgi.Application = new Application<TContext>(application);
        return kestrel.StartAsync(application, cancellationToken);
    }

    public Task StopAsync(CancellationToken cancellationToken) => kestrel.StopAsync(cancellationToken);

    public void Dispose() => kestrel.Dispose();
}
