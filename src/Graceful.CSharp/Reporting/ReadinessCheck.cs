using Graceful.Engine;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace Graceful.Reporting;

/// <summary>Unhealthy from the first moment of the way out, and of a drill. Tagged <c>ready</c>: liveness has nothing to do with it.</summary>
internal sealed class ReadinessCheck(LifecycleEngine engine) : IHealthCheck
{
    public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default) =>
        Task.FromResult(engine.IsReady ? HealthCheckResult.Healthy() : HealthCheckResult.Unhealthy("The server is not ready: it leaves, or practises to."));
}
