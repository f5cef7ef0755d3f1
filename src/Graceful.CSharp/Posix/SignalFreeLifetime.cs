using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Graceful.Posix;

/// <summary>
/// The host's lifetime without signals of its own: the console's would stop the host on a signal whatever we did, even
/// in the middle of its start. It says what the console's says.
/// </summary>
internal sealed partial class SignalFreeLifetime(
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
            application.ApplicationStopping.Register(() => SayStopping(_log));
        }

        return Task.CompletedTask;
    }

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    private void SayStarted()
    {
        SayStarted(_log);
        SayEnvironment(_log, environment.EnvironmentName);
        SayContentRoot(_log, environment.ContentRootPath);
    }

    [LoggerMessage(LogLevel.Information, "Application started. Press Ctrl+C to shut down.")]
    private static partial void SayStarted(ILogger log);

    [LoggerMessage(LogLevel.Information, "Hosting environment: {EnvName}")]
    private static partial void SayEnvironment(ILogger log, string envName);

    [LoggerMessage(LogLevel.Information, "Content root path: {ContentRoot}")]
    private static partial void SayContentRoot(ILogger log, string contentRoot);

    [LoggerMessage(LogLevel.Information, "Application is shutting down...")]
    private static partial void SayStopping(ILogger log);
}
