using Graceful.Tests.Support;
using Microsoft.Extensions.Logging;

namespace Graceful.Tests.Trackers;

/// <summary>A lifecycle without a host that takes nothing that is the process's, and its log.</summary>
internal sealed class Life : IAsyncDisposable
{
    private readonly LoggerFactory _loggers;

    public Life(Action<GracefulOptions>? configure = null)
    {
        _loggers = new LoggerFactory([Log]);
        Graceful = GracefulLifecycle.Start(
            options =>
            {
                options.OwnsProcess = false;
                options.NotifyServiceManager = false;
                options.Signals.Clear();
                configure?.Invoke(options);
            },
            _loggers);
    }

    public GracefulLifecycle Graceful { get; }

    public LogBook Log { get; } = new();

    public Task<ShutdownReport> ReportAsync() => Graceful.Completion.Soon("The end of the way out");

    public Task<ShutdownReport> LeaveAsync()
    {
        Graceful.Close();
        return ReportAsync();
    }

    /// <summary>Asks for the stop, and waits until the listeners are closed and connections are being drained.</summary>
    public async Task BeginDrainAsync()
    {
        Graceful.Close();
        await Log.Until("to Draining after");
    }

    public async ValueTask DisposeAsync()
    {
        Graceful.CloseNow();
        await Graceful.DisposeAsync().AsTask().Soon("The disposal");
        _loggers.Dispose();
        Log.Dispose();
    }
}
