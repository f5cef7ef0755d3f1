using Graceful.Core;
using Microsoft.Extensions.Logging;

namespace Graceful.Reporting;

/// <summary>
/// Everything that Graceful writes to the log. What is written goes in as references: for each set of value types the
/// runtime would have to compile a logger of its own, on the way out, when there is no time for it.
/// </summary>
internal static partial class Log
{
    /// <summary>The one category of all of it.</summary>
    public const string Category = "Graceful";

    [LoggerMessage(1, LogLevel.Information, "Leaving: {Reason}")]
    public static partial void Stopping(ILogger log, string reason);

    [LoggerMessage(2, LogLevel.Debug, "From {Left} to {Entered} after {Elapsed}")]
    public static partial void Edge(ILogger log, string left, string entered, string elapsed);

    [LoggerMessage(3, LogLevel.Information, "{Report}")]
    public static partial void Clean(ILogger log, ShutdownReport report);

    [LoggerMessage(10, LogLevel.Warning, "{Report}")]
    public static partial void Unclean(ILogger log, ShutdownReport report);

    [LoggerMessage(4, LogLevel.Error, "The order {Effect} could not be carried out")]
    public static partial void EffectFailed(ILogger log, Exception e, Effect effect);

    [LoggerMessage(5, LogLevel.Error, "The state handler failed for connection {ConnectionId} on its way from {From} to {To}")]
    public static partial void StateHandlerFailed(
        ILogger log, Exception e, string connectionId, string from, string to);

    [LoggerMessage(6, LogLevel.Warning,
        "{Server} lets connections in by itself, so they can't be tracked: on the way out requests are waited for, idle connections are left to the server")]
    public static partial void ConnectionsUntracked(ILogger log, string server);

    [LoggerMessage(7, LogLevel.Debug, "The accept loop of {Address} ended with an error")]
    public static partial void IntakeFailed(ILogger log, Exception e, string address);

    [LoggerMessage(8, LogLevel.Warning, "The accept loop of {Address} did not end within {Limit} and was cut off")]
    public static partial void IntakeCutOff(ILogger log, string address, string limit);

    [LoggerMessage(9, LogLevel.Error, "A callback failed when connection {ConnectionId} was closed or aborted")]
    public static partial void EndFailed(ILogger log, Exception e, string connectionId);

    [LoggerMessage(11, LogLevel.Warning, "{Address} could not be closed in order, so it was closed anyhow")]
    public static partial void IntakeNotInOrder(ILogger log, Exception e, string address);

    [LoggerMessage(12, LogLevel.Debug, "The way out could not be rehearsed")]
    public static partial void NotRehearsed(ILogger log, Exception e);

    [LoggerMessage(13, LogLevel.Warning, "The record {Path} ends here, because it can't be written: {Why}")]
    public static partial void RecordFailed(ILogger log, string path, string why);

    [LoggerMessage(14, LogLevel.Error, "{Happened} could not be kept for the report, the record or the log")]
    public static partial void EventNotKept(ILogger log, Exception e, Event happened);

    [LoggerMessage(15, LogLevel.Warning, "Somebody who listens to metrics or activities failed, so that the way out was not told in full")]
    public static partial void TelemetryFailed(ILogger log, Exception e);

    [LoggerMessage(31, LogLevel.Information, "The stop was undone, and the server goes on")]
    public static partial void Resumed(ILogger log);

    [LoggerMessage(34, LogLevel.Information, "Drilling for {Duration}: not ready, and every client is told, as if the server left")]
    public static partial void Drilling(ILogger log, string duration);

    [LoggerMessage(35, LogLevel.Information, "The drill is over")]
    public static partial void Drilled(ILogger log);

    [LoggerMessage(32, LogLevel.Warning, "The stop that was asked for ({Reason}) is prevented by '{Name}': {Why}")]
    public static partial void Prevented(ILogger log, string reason, string name, string why);

    [LoggerMessage(33, LogLevel.Error, "'{Name}', which may prevent stops, failed, and does not prevent this one")]
    public static partial void PreventionFailed(ILogger log, Exception e, string name);

    [LoggerMessage(40, LogLevel.Warning,
        "{Address} goes on accepting while it is told to pause, so that the idle limit can't be judged and the server goes on")]
    public static partial void IntakeNotPaused(ILogger log, string address);

    [LoggerMessage(41, LogLevel.Warning, "Whether the server is idle can't be told now, so it goes on")]
    public static partial void IdleLookFailed(ILogger log, Exception e);

    [LoggerMessage(30, LogLevel.Error, "{Component} failed, and the server leaves")]
    public static partial void ComponentFailed(ILogger log, Exception e, string component);

    [LoggerMessage(16, LogLevel.Error, "The handler of {Signal} failed")]
    public static partial void SignalHandlerFailed(ILogger log, Exception e, string signal);

    [LoggerMessage(17, LogLevel.Warning, "The signal '{Signal}' is not known here and is ignored")]
    public static partial void SignalUnknown(ILogger log, string signal);

    [LoggerMessage(20, LogLevel.Warning, "The service manager is not told how the server is, or not all of it: {Why}")]
    public static partial void ServiceManagerNotHeard(ILogger log, string why);

    [LoggerMessage(21, LogLevel.Warning, "{Misfit}")]
    public static partial void OutOfBudget(ILogger log, string misfit);

    [LoggerMessage(50, LogLevel.Information, "{Endpoint} is served from {Given}, which was given to this process")]
    public static partial void ServedFrom(ILogger log, string endpoint, string given);

    [LoggerMessage(60, LogLevel.Warning,
        "{Member} was called for a connection that {State}, which changes nothing. The connection tracker '{Tracker}' says this once")]
    public static partial void TrackerMisused(ILogger log, string tracker, string member, string state);

    [LoggerMessage(61, LogLevel.Error, "{Callback} of the connection tracker '{Tracker}' failed")]
    public static partial void TrackerCallbackFailed(ILogger log, Exception e, string tracker, string callback);

    [LoggerMessage(62, LogLevel.Warning, "{Callback} of the connection tracker '{Tracker}' did not end within {Limit}, and is waited for no more")]
    public static partial void TrackerCallbackLate(ILogger log, string tracker, string callback, string limit);

    [LoggerMessage(80, LogLevel.Error, "{Method} {Path} failed on the FastCGI connection {ConnectionId}")]
    public static partial void RequestFailed(ILogger log, Exception e, string method, string path, string connectionId);

    [LoggerMessage(81, LogLevel.Information, "A request was refused on the FastCGI connection {ConnectionId} with {Status}: {Why}")]
    public static partial void RequestRefused(ILogger log, string connectionId, string status, string why);

    [LoggerMessage(82, LogLevel.Warning, "The FastCGI connection {ConnectionId} was closed, because {Why}")]
    public static partial void ConnectionBroken(ILogger log, string connectionId, string why);
}
