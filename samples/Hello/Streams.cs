using System.Net.WebSockets;
using Graceful;

namespace Hello;

/// <summary>What stays open: a WebSocket that says what it hears, and a stream of events.</summary>
internal static class Streams
{
    private static readonly TimeSpan Beat = TimeSpan.FromMilliseconds(100);

    public static void AddTo(WebApplication app)
    {
        app.UseWebSockets();
        app.Map("/ws", async (HttpContext context) =>
        {
            if (!context.WebSockets.IsWebSocketRequest)
            {
                context.Response.StatusCode = StatusCodes.Status400BadRequest;
                return;
            }

            using var socket = await context.WebSockets.AcceptWebSocketAsync();
            await EchoAsync(socket);
        });
        app.MapGet("/events", TellAsync);
    }

    private static async Task EchoAsync(WebSocket socket)
    {
        var buffer = new byte[4096];
        try
        {
            var got = await socket.ReceiveAsync(buffer, CancellationToken.None);
            while (got.MessageType != WebSocketMessageType.Close)
            {
                await socket.SendAsync(buffer.AsMemory(0, got.Count), got.MessageType, got.EndOfMessage, CancellationToken.None);
                got = await socket.ReceiveAsync(buffer, CancellationToken.None);
            }

            await socket.CloseAsync(WebSocketCloseStatus.NormalClosure, null, CancellationToken.None);
        }
        catch (WebSocketException)
        {
            // The client has gone without a word.
        }
    }

    /// <summary>Ends between two events when the way out begins; without Graceful, as most that is written, when the client or the server cuts it off.</summary>
    private static async Task TellAsync(HttpContext context)
    {
        var isGraceful = context.RequestServices.GetService<IGraceful>() is not null;
        var stopping = isGraceful ? context.Graceful().Stopping : CancellationToken.None;
        using var end = CancellationTokenSource.CreateLinkedTokenSource(stopping, context.RequestAborted);
        context.Response.ContentType = "text/event-stream";
        for (var number = 1; !end.IsCancellationRequested; number++)
        {
            await context.Response.WriteAsync($"data: {number}\n\n", CancellationToken.None);
            await context.Response.Body.FlushAsync(CancellationToken.None);
            await Task.Delay(Beat, end.Token).ContinueWith(_ => { }, TaskScheduler.Default);
        }
    }
}
