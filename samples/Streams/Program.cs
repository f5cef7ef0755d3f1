// Connections that stay: a WebSocket that sends back what it gets (/echo), a clock of server-sent events (/clock), and a SignalR hub (/hub).
// On SIGTERM each client is told in its own protocol, and the server is gone in about a second.
//   --port P    where to listen on 127.0.0.1 (default 5000, 0 for any)
//   --plain     the same app without Graceful, to compare: it waits for its clients for 30 seconds, and then cuts them off
//   any Graceful option: --GracePeriod 00:00:10, --LameDuck 00:00:05 ...
using System.Diagnostics;
using System.Net;
using System.Net.ServerSentEvents;
using System.Net.WebSockets;
using System.Runtime.CompilerServices;
using Graceful;
using Streams;

var isPlain = args.Contains("--plain");
var builder = WebApplication.CreateSlimBuilder(args.Where(arg => arg is not "--plain").ToArray());
builder.Logging.AddFilter("Microsoft.AspNetCore", LogLevel.Warning);
builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, builder.Configuration.GetValue("port", 5000)));
builder.Services.AddSignalR();
if (!isPlain)
{
    builder.AddGraceful(options => builder.Configuration.Bind(options));
}

var app = builder.Build();
app.UseWebSockets();
app.MapHub<EchoHub>("/hub");
app.Map("/echo", async (HttpContext context) =>
{
    using var socket = await context.WebSockets.AcceptWebSocketAsync();
    var buffer = new byte[4096];
    while (true)
    {
        var part = await socket.ReceiveAsync(new ArraySegment<byte>(buffer), context.RequestAborted);
        if (part.MessageType == WebSocketMessageType.Close)
        {
            await socket.CloseAsync(part.CloseStatus!.Value, part.CloseStatusDescription, CancellationToken.None);
            return;
        }

        await socket.SendAsync(buffer.AsMemory(0, part.Count), part.MessageType, part.EndOfMessage, context.RequestAborted);
    }
});
app.MapGet("/clock", (HttpContext context) =>
{
    var ticks = Ticks(context.RequestAborted);
    return TypedResults.ServerSentEvents(isPlain ? ticks : ticks.UntilStopping(context, "come back", reconnectWithin: TimeSpan.FromSeconds(5)));
});

var sinceStop = new Stopwatch();
app.Lifetime.ApplicationStopping.Register(sinceStop.Start);
app.Run();
Console.WriteLine($"Gone {sinceStop.ElapsedMilliseconds} ms after the stop");
return Environment.ExitCode;

static async IAsyncEnumerable<SseItem<string>> Ticks([EnumeratorCancellation] CancellationToken cancellationToken)
{
    while (true)
    {
        yield return new SseItem<string>($"{DateTime.UtcNow:O}", "tick");
        await Task.Delay(TimeSpan.FromMilliseconds(200), cancellationToken);
    }
}
