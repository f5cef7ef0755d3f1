using System.Net;
using System.Net.WebSockets;
using System.Text;
using Graceful.Tests.Support;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace Graceful.Tests.WebSockets;

/// <summary>An app with WebSockets that know nothing of Graceful, and what they saw.</summary>
internal sealed class WebSocketApp : IAsyncDisposable
{
    private readonly TaskCompletionSource<(WebSocketCloseStatus? Status, WebSocketState State)> _echoEnded = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource<Exception?> _tickerEnded = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Door _door = new();
    private bool _tls;
    private int _connected;

    public TestApp App { get; private set; } = null!;

    /// <summary>Where <c>/pieces</c>, <c>/raw</c> and <c>/leaving</c> wait.</summary>
    public Door Door => _door;

    /// <summary>How <c>/echo</c> ended: the code it was closed with, and the state when its own close was done.</summary>
    public Task<(WebSocketCloseStatus? Status, WebSocketState State)> EchoEnded => _echoEnded.Task.Soon("The close that the application sees");

    /// <summary>How <c>/ticker</c> ended.</summary>
    public Task<Exception?> TickerEnded => _tickerEnded.Task.Soon("The end of the ticker");

    public static async Task<WebSocketApp> StartAsync(Action<GracefulOptions>? graceful = null, bool http2 = false, bool tls = false)
    {
        var app = new WebSocketApp { _tls = tls };
        app.App = await TestApp.StartAsync(
            options =>
            {
                options.GracePeriod = TimeSpan.FromMinutes(5);
                options.QuietPeriod = TimeSpan.FromMilliseconds(100);
                options.SettleTime = TimeSpan.Zero;
                graceful?.Invoke(options);
            },
            listen =>
            {
                if (tls)
                {
                    // With both protocols, of which each client chooses one in the handshake.
                    listen.UseHttps(Certificate.ForTests);
                }
                else
                {
                    listen.Protocols = http2 ? HttpProtocols.Http2 : HttpProtocols.Http1;
                }
            },
            map: app.Map);
        return app;
    }

    /// <summary>A peer that knows WebSockets, and answers a Close.</summary>
    public async Task<ClientWebSocket> ConnectAsync(string path, bool http2, bool compressed = false)
    {
        var client = new ClientWebSocket();
        var connected = Volatile.Read(ref _connected);
        using var handler = new SocketsHttpHandler { UseProxy = false, SslOptions = { RemoteCertificateValidationCallback = Certificate.IsOurs } };
        using var invoker = new HttpMessageInvoker(handler, disposeHandler: false);
        if (http2)
        {
            (client.Options.HttpVersion, client.Options.HttpVersionPolicy) = (HttpVersion.Version20, HttpVersionPolicy.RequestVersionExact);
        }

        client.Options.DangerousDeflateOptions = compressed ? new WebSocketDeflateOptions() : null;
        await client.ConnectAsync(new Uri($"{(_tls ? "wss" : "ws")}://127.0.0.1:{App.Port}{path}"), invoker, TestContext.Current.CancellationToken).Soon("The WebSocket");
        await Limits.Until(() => Volatile.Read(ref _connected) > connected, "the application has the WebSocket");
        return client;
    }

    public static Task SayAsync(WebSocket socket, string text) =>
        socket.SendAsync(Encoding.UTF8.GetBytes(text), WebSocketMessageType.Text, endOfMessage: true, CancellationToken.None).Soon("Sending");

    /// <summary>The next whole message; null for a Close, whose code the socket has then.</summary>
    public static async Task<string?> HearAsync(WebSocket socket)
    {
        var message = new StringBuilder();
        var buffer = new byte[1000];
        while (true)
        {
            var part = await socket.ReceiveAsync(new ArraySegment<byte>(buffer), CancellationToken.None).Soon("A message");
            if (part.MessageType == WebSocketMessageType.Close)
            {
                return null;
            }

            message.Append(Encoding.UTF8.GetString(buffer, 0, part.Count));
            if (part.EndOfMessage)
            {
                return message.ToString();
            }
        }
    }

    public async ValueTask DisposeAsync()
    {
        _door.Open();
        await App.DisposeAsync();
    }

    private void Map(WebApplication app)
    {
        app.UseWebSockets();
        app.Map("/echo", EchoAsync);
        app.Map("/echo/told", EchoAsync).WithDrain(DrainMode.ToldOnly);
        app.Map("/echo/must", EchoAsync).WithDrain(DrainMode.MustFinish);

        // A message in two pieces, and the application waits in between.
        app.Map("/pieces", async (HttpContext context) =>
        {
            using var socket = await AcceptAsync(context);
            await socket.SendAsync("one, "u8.ToArray(), WebSocketMessageType.Text, endOfMessage: false, CancellationToken.None);
            await _door.PassAsync();
            await socket.SendAsync("two"u8.ToArray(), WebSocketMessageType.Text, endOfMessage: true, CancellationToken.None);
            await socket.SendAsync("too late"u8.ToArray(), WebSocketMessageType.Text, endOfMessage: true, CancellationToken.None);
            await EchoAsync(socket);
        });

        // Frames of its own making, in pieces of any size, as a proxy writes them.
        app.Map("/raw", async (HttpContext context, int cut) =>
        {
            context.Response.Headers.Upgrade = "websocket";
            context.Response.Headers.Connection = "Upgrade";
            await using var stream = await context.Features.GetRequiredFeature<IHttpUpgradeFeature>().UpgradeAsync();
            byte[] frames = [0x82, 126, 0, 130, .. Enumerable.Repeat((byte)0x88, 130), 0x81, 1, (byte)'x'];
            Interlocked.Increment(ref _connected);
            await stream.WriteAsync(frames.AsMemory(0, cut));
            await stream.FlushAsync();
            await _door.PassAsync();
            await stream.WriteAsync(frames.AsMemory(cut));
            await stream.FlushAsync();
            await stream.CopyToAsync(Stream.Null);
        });

        // It closes by itself, and waits for the answer.
        app.Map("/leaving", async (HttpContext context) =>
        {
            using var socket = await AcceptAsync(context);
            await socket.CloseOutputAsync(WebSocketCloseStatus.NormalClosure, "done", CancellationToken.None);
            await _door.PassAsync();
            await EchoAsync(socket);
        });

        // It never reads.
        app.Map("/ticker", async (HttpContext context) =>
        {
            using var socket = await AcceptAsync(context);
            try
            {
                while (socket.State == WebSocketState.Open)
                {
                    await socket.SendAsync("tick"u8.ToArray(), WebSocketMessageType.Text, endOfMessage: true, CancellationToken.None);
                    await Task.Delay(20);
                }

                _tickerEnded.TrySetResult(null);
            }
            catch (WebSocketException e)
            {
                _tickerEnded.TrySetResult(e.InnerException);
            }
        });
    }

    private async Task<WebSocket> AcceptAsync(HttpContext context)
    {
        var socket = await context.WebSockets.AcceptWebSocketAsync(new WebSocketAcceptContext { DangerousEnableCompression = true });
        Interlocked.Increment(ref _connected);
        return socket;
    }

    private async Task EchoAsync(HttpContext context)
    {
        using var socket = await AcceptAsync(context);
        await EchoAsync(socket);
    }

    private async Task EchoAsync(WebSocket socket)
    {
        while (await HearWithoutLimitAsync(socket) is { } message)
        {
            await socket.SendAsync(Encoding.UTF8.GetBytes(message), WebSocketMessageType.Text, endOfMessage: true, CancellationToken.None);
        }

        if (socket.State == WebSocketState.CloseReceived)
        {
            await socket.CloseAsync(socket.CloseStatus!.Value, socket.CloseStatusDescription, CancellationToken.None);
        }

        _echoEnded.TrySetResult((socket.CloseStatus, socket.State));
    }

    private static async Task<string?> HearWithoutLimitAsync(WebSocket socket)
    {
        var buffer = new byte[1000];
        var part = await socket.ReceiveAsync(new ArraySegment<byte>(buffer), CancellationToken.None);
        return part.MessageType == WebSocketMessageType.Close ? null : Encoding.UTF8.GetString(buffer, 0, part.Count);
    }
}
