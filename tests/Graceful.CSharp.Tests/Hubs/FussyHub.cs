using Microsoft.AspNetCore.SignalR;

namespace Graceful.Tests.Hubs;

/// <summary>Wants nobody.</summary>
internal sealed class FussyHub : Hub
{
    public override Task OnConnectedAsync() => throw new InvalidOperationException("as planned");
}
