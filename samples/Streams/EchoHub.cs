using Microsoft.AspNetCore.SignalR;

namespace Streams;

/// <summary>A hub that knows nothing of the way out: its clients are told to come back all the same.</summary>
internal sealed class EchoHub : Hub
{
    public Task Say(string text) => Clients.Caller.SendAsync("said", text);
}
