using Microsoft.AspNetCore.SignalR;

namespace Graceful.Tests.Hubs;

/// <summary>Knows nothing of the way out.</summary>
internal sealed class EchoHub : Hub
{
#pragma warning disable CA1822 // A method of a hub is called on the hub.
    public string Echo(string text) => text;
#pragma warning restore CA1822
}
