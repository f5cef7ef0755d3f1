using Graceful;
using Microsoft.Extensions.DependencyInjection;

// Where users look for what a request knows.
namespace Microsoft.AspNetCore.Http;

/// <summary>The way out, seen from a request.</summary>
public static class GracefulHttpContextExtensions
{
    /// <summary>
    /// What a request knows of the way out. The tokens are the server's own: asking costs a look-up among the request's
    /// services, and no token source is made for a request. A feature of this type that was set on the request, by a test for
    /// instance, comes first.
    /// </summary>
    /// <param name="context">The request.</param>
    /// <returns>The same object for every request of a server.</returns>
    /// <exception cref="ArgumentNullException">The context is null.</exception>
    /// <exception cref="InvalidOperationException"><c>AddGraceful</c> was not called.</exception>
    public static IGracefulFeature Graceful(this HttpContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        return context.Features.Get<IGracefulFeature>()
            ?? context.RequestServices?.GetService<IGracefulFeature>()
            ?? throw new InvalidOperationException("The way out is not known: call builder.AddGraceful() before the application is built.");
    }
}
