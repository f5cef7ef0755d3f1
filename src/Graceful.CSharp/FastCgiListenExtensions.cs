using Graceful.FastCgi;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;

// Where users look for what an endpoint can be given, UseHttps for instance.
namespace Microsoft.AspNetCore.Hosting;

/// <summary>FastCGI in the place of HTTP.</summary>
public static class FastCgiListenExtensions
{
    /// <summary>
    /// Has an endpoint of Kestrel's speak FastCGI 1.0 (as a responder) in the place of HTTP: the same application serves a web server, nginx or lighttpd for
    /// instance, that passes requests on by FastCGI. On a TCP or Unix socket; limits are in <see cref="Graceful.GracefulOptions.FastCgi"/>.
    /// </summary>
    /// <param name="listenOptions">The endpoint. What is added to it after this call is never reached.</param>
    /// <returns>The endpoint.</returns>
    /// <remarks>
    /// The web server says who the client is and what it asks for, and it is believed: let nobody else connect. A PATH_INFO that is not empty is the request's path, and SCRIPT_NAME its
    /// path base; without one the path is that of REQUEST_URI, and there is no base. The other variables are read with <c>HttpContext.GetServerVariable</c>.
    /// </remarks>
    /// <exception cref="ArgumentNullException">The endpoint is null.</exception>
    /// <exception cref="InvalidOperationException"><c>AddGraceful</c> was not called.</exception>
    public static ListenOptions UseFastCgi(this ListenOptions listenOptions)
    {
        ArgumentNullException.ThrowIfNull(listenOptions);
        var server = listenOptions.ApplicationServices.GetService<FastCgiServer>()
            ?? throw new InvalidOperationException("FastCGI is not known: call builder.AddGraceful() before the application is built.");
        server.Use(listenOptions);
        return listenOptions;
    }
}
