using Graceful;
using Microsoft.AspNetCore.Diagnostics.HealthChecks;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;

// Where users look for Map methods.
namespace Microsoft.AspNetCore.Builder;

/// <summary>The two questions that a platform asks a server.</summary>
public static class GracefulHealthExtensions
{
    /// <summary>
    /// Maps readiness and liveness. Readiness runs the health checks tagged <c>ready</c>, of which Graceful's own fails from
    /// the first moment of the way out: 503 then, 200 while all are healthy. Liveness runs those tagged <c>live</c>, of which
    /// there is none at first, so that it holds until the listeners close: who fails liveness is killed. The drain does not count
    /// them, see <see cref="DrainMode.NotCounted"/>.
    /// </summary>
    /// <param name="endpoints">The application.</param>
    /// <param name="ready">Where readiness is asked for; the default is <c>/health/ready</c>.</param>
    /// <param name="live">Where liveness is asked for; the default is <c>/health/live</c>.</param>
    /// <returns>Adds conventions to both, host names or authorization for instance.</returns>
    /// <exception cref="ArgumentNullException">An argument is null.</exception>
    /// <exception cref="InvalidOperationException"><c>AddGraceful</c> was not called.</exception>
    public static IEndpointConventionBuilder MapGracefulHealth(
        this IEndpointRouteBuilder endpoints, string ready = "/health/ready", string live = "/health/live")
    {
        ArgumentNullException.ThrowIfNull(endpoints);
        ArgumentNullException.ThrowIfNull(ready);
        ArgumentNullException.ThrowIfNull(live);
        if (endpoints.ServiceProvider.GetRequiredService<IServiceProviderIsService>().IsService(typeof(IGraceful)) is false)
        {
            throw new InvalidOperationException("Readiness is not known: call builder.AddGraceful() before the application is built.");
        }

        return new Both(Map(endpoints, ready, "ready"), Map(endpoints, live, "live"));
    }

    private static IEndpointConventionBuilder Map(IEndpointRouteBuilder endpoints, string pattern, string tag) =>
        endpoints.MapHealthChecks(pattern, new HealthCheckOptions { Predicate = check => check.Tags.Contains(tag) }).WithDrain(DrainMode.NotCounted);

    private sealed class Both(IEndpointConventionBuilder one, IEndpointConventionBuilder other) : IEndpointConventionBuilder
    {
        public void Add(Action<EndpointBuilder> convention)
        {
            one.Add(convention);
            other.Add(convention);
        }

        public void Finally(Action<EndpointBuilder> finallyConvention)
        {
            one.Finally(finallyConvention);
            other.Finally(finallyConvention);
        }
    }
}
