using Graceful.Engine;
using Graceful.Reporting;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Graceful.Platform;

/// <summary>
/// Ties the platform to the host: says at start what the budget does not fit into, and keeps the service manager informed.
/// Registered before what lets signals in, so that nothing of a way out is missed.
/// </summary>
internal sealed class PlatformBinding(
    LifecycleEngine engine,
    IHostApplicationLifetime application,
    IOptions<GracefulOptions> options,
    IOptions<HostOptions> host,
    IServiceProvider services,
    ILoggerFactory loggers) : HostedPart, IDisposable
{
    private readonly ILogger _log = loggers.CreateLogger(Log.Category);
    private ServiceManager? _manager;

    public override Task StartingAsync(CancellationToken cancellationToken)
    {
        _manager = ServiceManager.Find(engine, options.Value, ServiceEnvironment.Read(), Limit, LifetimeTells(), _log);
        if (_manager is not null)
        {
            application.ApplicationStarted.Register(_manager.Started);
        }

        foreach (var misfit in Budget.Misfits(options.Value, host.Value.ShutdownTimeout))
        {
            Log.OutOfBudget(_log, misfit);
        }

        return Task.CompletedTask;
    }

    public void Dispose() => _manager?.Dispose();

    /// <summary>The budget, and what the host lets its other services take after it; without end when there is no budget.</summary>
    private TimeSpan Limit() =>
        host.Value.ShutdownTimeout == Timeout.InfiniteTimeSpan ? options.Value.Budget() : host.Value.ShutdownTimeout;

    /// <summary>
    /// UseSystemd brings a lifetime that says READY and STOPPING, and nothing else. It is known by its name, because its package
    /// is not referenced; and asked for here, because it may be registered before AddGraceful or after.
    /// </summary>
    private bool LifetimeTells() =>
        services.GetService<IHostLifetime>()?.GetType().FullName == "Microsoft.Extensions.Hosting.Systemd.SystemdLifetime";
}
