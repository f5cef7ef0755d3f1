using Graceful.Core;
using Microsoft.Extensions.Logging;

namespace Graceful.Reporting;

/// <summary>Everything that Graceful writes to the log.</summary>
internal static partial class Log
{
    /// <summary>The one category of all of it.</summary>
    public const string Category = "Graceful";

    [LoggerMessage(1, LogLevel.Information, "Leaving: {Reason}")]
    public static partial void Stopping(ILogger log, StopReason reason);

    [LoggerMessage(2, LogLevel.Debug, "From {Left} to {Entered} after {Seconds:0.000} s")]
    public static partial void Edge(ILogger log, Stage left, Stage entered, double seconds);

    [LoggerMessage(EventId = 3, Message = "{Report}")]
    public static partial void Report(ILogger log, LogLevel level, ShutdownReport report);

    [LoggerMessage(4, LogLevel.Error, "The order {Effect} could not be carried out")]
    public static partial void EffectFailed(ILogger log, Exception e, Effect effect);

    [LoggerMessage(5, LogLevel.Error, "The state handler failed for connection {ConnectionId} on its way from {From} to {To}")]
    public static partial void StateHandlerFailed(
        ILogger log, Exception e, string connectionId, ConnectionPhase from, ConnectionPhase to);

    [LoggerMessage(6, LogLevel.Warning,
        "{Server} lets connections in by itself, so they can't be tracked: on the way out requests are waited for, idle connections are left to the server")]
    public static partial void ConnectionsUntracked(ILogger log, string server);

    [LoggerMessage(7, LogLevel.Debug, "The accept loop of {Address} ended with an error")]
    public static partial void IntakeFailed(ILogger log, Exception e, string address);

    [LoggerMessage(8, LogLevel.Warning, "The accept loop of {Address} did not end within {Seconds:0.0} s and was cut off")]
    public static partial void IntakeCutOff(ILogger log, string address, double seconds);
}
