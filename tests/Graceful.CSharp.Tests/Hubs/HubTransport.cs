namespace Graceful.Tests.Hubs;

/// <summary>How a SignalR client and its hub talk.</summary>
public enum HubTransport
{
    WebSockets,
    ServerSentEvents,
    LongPolling,
}
