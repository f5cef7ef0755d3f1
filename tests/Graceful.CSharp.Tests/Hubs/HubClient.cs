using System.Net.WebSockets;
using System.Text;
using System.Text.Json;
using System.Threading.Channels;
using Graceful.Tests.Support;

namespace Graceful.Tests.Hubs;

/// <summary>
/// A SignalR client, spoken by hand over each transport: SignalR's JSON protocol is small, and its own client would reconnect, so that a
/// test could not see what it was told.
/// </summary>
internal sealed class HubClient : IAsyncDisposable
{
    private const char EndOfMessage = '\x1e';
    private const int Ping = 6;
    private const int Close = 7;

    private readonly Channel<string> _messages = Channel.CreateUnbounded<string>();
    private readonly CancellationTokenSource _over = new();
    private readonly HttpClient _http = new(new SocketsHttpHandler { UseProxy = false }) { Timeout = Timeout.InfiniteTimeSpan };
    private readonly HubTransport _transport;
    private readonly Uri _hub;
    private readonly StringBuilder _begun = new();
    private ClientWebSocket? _socket;
    private string _token = "";
    private Task _receiving = Task.CompletedTask;
    private bool _isClosed;
    private int _pollsAnswered;

    private HubClient(HubTransport transport, Uri hub)
    {
        _transport = transport;
        _hub = hub;
    }

    /// <summary>Completes when the transport is at its end, or fails with it.</summary>
    public Task Ended => _receiving;

    public WebSocketCloseStatus? CloseStatus => _socket!.CloseStatus;

    /// <summary>How many of its polls have been answered: whoever polls is away between two of them.</summary>
    public int PollsAnswered => Volatile.Read(ref _pollsAnswered);

    public static async Task<HubClient> ConnectAsync(HubTransport transport, int port, string path = "/hub")
    {
        var client = new HubClient(transport, new Uri($"http://127.0.0.1:{port}{path}"));
        await client.OpenAsync().Soon("The connection to the hub");
        await client.ShakeHandsAsync();
        return client;
    }

    /// <summary>Connects, and does not begin to speak.</summary>
    public static async Task<HubClient> ConnectSilentlyAsync(HubTransport transport, int port)
    {
        var client = new HubClient(transport, new Uri($"http://127.0.0.1:{port}/hub"));
        await client.OpenAsync().Soon("The connection to the hub");
        return client;
    }

    public async Task ShakeHandsAsync()
    {
        await SendAsync("""{"protocol":"json","version":1}""");
        await MustHaveShakenHandsAsync();
    }

    public async Task MustHaveShakenHandsAsync() => Assert.Equal("{}", await ReadAsync());

    /// <summary>Calls a method of the hub and says what it returned.</summary>
    public async Task<string> InvokeAsync(string method, string argument)
    {
        await SendAsync($$"""{"type":1,"invocationId":"1","target":"{{method}}","arguments":["{{argument}}"]}""");
        return JsonDocument.Parse(await ReadMessageAsync()).RootElement.GetProperty("result").GetString()!;
    }

    /// <summary>Calls a method of the hub, and waits for what that says to its caller.</summary>
    public async Task TellAsync(string method, string argument)
    {
        await SendAsync($$"""{"type":1,"target":"{{method}}","arguments":["{{argument}}"]}""");
        Assert.Equal(argument, JsonDocument.Parse(await ReadMessageAsync()).RootElement.GetProperty("arguments")[0].GetString());
    }

    /// <summary>The next message is the hub's Close; it says whether the client may come back.</summary>
    public async Task<bool> ReadCloseAsync()
    {
        var message = await ReadMessageAsync();
        var close = JsonDocument.Parse(message).RootElement;
        Assert.Equal(Close, TypeOf(message));
        Assert.False(close.TryGetProperty("error", out _));
        return close.TryGetProperty("allowReconnect", out var allowed) && allowed.GetBoolean();
    }

    /// <summary>Whether anything came that nobody has read.</summary>
    public bool HasMessage => _messages.Reader.TryPeek(out _);

    public async ValueTask DisposeAsync()
    {
        await _over.CancelAsync();
        await ((Task)_receiving.ContinueWith(static _ => { }, TaskScheduler.Default)).Soon("The end of the client");
        _socket?.Dispose();
        _http.Dispose();
        _over.Dispose();
    }

    private async Task OpenAsync()
    {
        if (_transport == HubTransport.WebSockets)
        {
            _socket = new ClientWebSocket();
            await _socket.ConnectAsync(new UriBuilder(_hub) { Scheme = "ws" }.Uri, CancellationToken.None);
            _receiving = UntilEndAsync(ReceiveFromSocketAsync());
            return;
        }

        using var negotiated = await _http.PostAsync(new Uri($"{_hub}/negotiate?negotiateVersion=1"), content: null);
        negotiated.EnsureSuccessStatusCode();
        _token = JsonDocument.Parse(await negotiated.Content.ReadAsStringAsync()).RootElement.GetProperty("connectionToken").GetString()!;
        var ask = new HttpRequestMessage(HttpMethod.Get, Id);
        if (_transport == HubTransport.ServerSentEvents)
        {
            ask.Headers.Accept.ParseAdd("text/event-stream");
        }

        var answer = await _http.SendAsync(ask, HttpCompletionOption.ResponseHeadersRead);
        answer.EnsureSuccessStatusCode();
        _pollsAnswered = _transport == HubTransport.LongPolling ? 1 : 0;
        _receiving = UntilEndAsync(_transport == HubTransport.ServerSentEvents ? ReceiveEventsAsync(answer) : PollAsync());
    }

    /// <summary>Whoever waits for a message then hears that there is none.</summary>
    private async Task UntilEndAsync(Task receiving)
    {
        try
        {
            await receiving;
        }
        finally
        {
            _messages.Writer.TryComplete();
        }
    }

    /// <summary>Where it sends to, over a transport that is not a WebSocket.</summary>
    public Uri Id => new($"{_hub}?id={_token}");

    private async Task SendAsync(string message)
    {
        var bytes = Encoding.UTF8.GetBytes(message + EndOfMessage);
        if (_socket is not null)
        {
            await _socket.SendAsync(bytes, WebSocketMessageType.Text, endOfMessage: true, CancellationToken.None).Soon("Sending");
            return;
        }

        using var content = new ByteArrayContent(bytes);
        using var sent = await _http.PostAsync(Id, content).Soon("Sending");
        sent.EnsureSuccessStatusCode();
    }

    private async Task<string> ReadAsync() => await _messages.Reader.ReadAsync().AsTask().Soon("A message of the hub");

    /// <summary>Pings aside.</summary>
    private async Task<string> ReadMessageAsync()
    {
        while (true)
        {
            var message = await ReadAsync();
            if (TypeOf(message) != Ping)
            {
                return message;
            }
        }
    }

    // The answer to the handshake has none.
    private static int? TypeOf(string message) =>
        JsonDocument.Parse(message).RootElement.TryGetProperty("type", out var type) ? type.GetInt32() : null;

    private void Received(string text)
    {
        _begun.Append(text);
        var parts = _begun.ToString().Split(EndOfMessage);
        foreach (var message in parts[..^1])
        {
            _isClosed |= TypeOf(message) == Close;
            _messages.Writer.TryWrite(message);
        }

        _begun.Clear().Append(parts[^1]);
    }

    private async Task ReceiveFromSocketAsync()
    {
        var buffer = new byte[4096];
        while (true)
        {
            var part = await _socket!.ReceiveAsync(new ArraySegment<byte>(buffer), _over.Token);
            if (part.MessageType == WebSocketMessageType.Close)
            {
                await _socket.CloseOutputAsync(WebSocketCloseStatus.NormalClosure, null, CancellationToken.None);
                return;
            }

            Received(Encoding.UTF8.GetString(buffer, 0, part.Count));
        }
    }

    private async Task ReceiveEventsAsync(HttpResponseMessage answer)
    {
        using (answer)
        {
            using var reader = new StreamReader(await answer.Content.ReadAsStreamAsync(_over.Token));
            while (await reader.ReadLineAsync(_over.Token) is { } line)
            {
                if (line.StartsWith("data: ", StringComparison.Ordinal))
                {
                    Received(line["data: ".Length..]);
                }
            }
        }
    }

    // Who was told that this is the end asks no more: nobody may be there to answer.
    private async Task PollAsync()
    {
        while (!_isClosed)
        {
            using var poll = await _http.GetAsync(Id, _over.Token);
            if (poll.StatusCode != System.Net.HttpStatusCode.OK)
            {
                return;
            }

            var text = await poll.Content.ReadAsStringAsync(_over.Token);
            Interlocked.Increment(ref _pollsAnswered);
            Received(text);
        }
    }
}
