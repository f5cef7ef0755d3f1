using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

// Four lines in a server's life, with the texts and the event id that the console's lifetime gives them.
#pragma warning disable CA1848, CA1873

namespace Graceful.Posix;

/// <summary>
/// The host's lifetime without signals of its own: the console's would stop the host on a signal whatever we did, even
/// in the middle of its start. It says what the console's says.
/// </summary>
internal sealed class SignalFreeLifetime(
    IHostApplicationLifetime application,
    IHostEnvironment environment,
    IOptions<ConsoleLifetimeOptions> options,
    ILoggerFactory loggers) : IHostLifetime
{
    private readonly ILogger _log = loggers.CreateLogger("Microsoft.Hosting.Lifetime");

    public Task WaitForStartAsync(CancellationToken cancellationToken)
    {
        if (!options.Value.SuppressStatusMessages)
        {
            application.ApplicationStarted.Register(SayStarted);
            application.ApplicationStopping.Register(() => _log.LogInformation("Application is shutting down..."));
        }

        return Task.CompletedTask;
    }

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    private void SayStarted()
    {
        _log.LogInformation("Application started. Press Ctrl+C to shut down.");
        _log.LogInformation("Hosting environment: {EnvName}", environment.EnvironmentName);
        _log.LogInformation("Content root path: {ContentRoot}", environment.ContentRootPath);
    }
}
