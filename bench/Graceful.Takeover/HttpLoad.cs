using System.Net;
using System.Net.Sockets;

namespace Graceful.Takeover;

/// <summary>
/// .NET's own client, as it comes, on HTTP/2 without TLS: loops that ask, that send something, and that ask for something slow. What it repeats by itself
/// on a new connection was not lost; what it throws was.
/// </summary>
internal sealed class HttpLoad : IAsyncDisposable
{
    private const int Loops = 8;
    private const int BodyBytes = 1000;

    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(5);

    private readonly CancellationTokenSource _end = new();
    private readonly HttpClient _client;
    private readonly Tally _tally;
    private readonly Task _loops;

    /// <param name="port">Where it asks.</param>
    /// <param name="tally">What it got.</param>
    /// <param name="fresh">Whether it takes a new connection for each request.</param>
    public HttpLoad(int port, Tally tally, bool fresh = false)
    {
        _tally = tally;
        _client = new HttpClient(new SocketsHttpHandler
        {
            UseProxy = false,
            EnableMultipleHttp2Connections = true,
            PooledConnectionLifetime = fresh ? TimeSpan.Zero : Timeout.InfiniteTimeSpan,
            ConnectCallback = ConnectAsync,
        })
        {
            BaseAddress = new Uri($"http://127.0.0.1:{port}"),
            Timeout = TimeSpan.FromSeconds(20),
        };
        _loops = Task.WhenAll(Enumerable.Range(0, Loops).SelectMany(_ => new[]
        {
            LoopAsync(() => new HttpRequestMessage(HttpMethod.Get, "/"), "ok"),
            LoopAsync(() => new HttpRequestMessage(HttpMethod.Post, "/") { Content = new ByteArrayContent(new byte[BodyBytes]) }, $"{BodyBytes} bytes"),
            LoopAsync(() => new HttpRequestMessage(HttpMethod.Get, "/slow?ms=250"), "ok, at last"),
        }));
    }

    /// <summary>Asks for no more, and waits for what was asked for.</summary>
    public async ValueTask DisposeAsync()
    {
        await _end.CancelAsync();
        await _loops;
        _client.Dispose();
        _end.Dispose();
    }

    private async Task LoopAsync(Func<HttpRequestMessage> next, string wanted)
    {
        while (!_end.IsCancellationRequested)
        {
            using var request = next();
            request.Version = HttpVersion.Version20;
            request.VersionPolicy = HttpVersionPolicy.RequestVersionExact;
            try
            {
                using var response = await _client.SendAsync(request);
                var body = await response.Content.ReadAsStringAsync();
                if (response.StatusCode == HttpStatusCode.OK && body == wanted)
                {
                    _tally.Answer();
                }
                else
                {
                    _tally.Fail($"{request.Method} {request.RequestUri}: {(int)response.StatusCode}");
                }
            }
            catch (Exception e) when (e is HttpRequestException or OperationCanceledException or IOException)
            {
                _tally.Fail($"{request.Method} {request.RequestUri}: {e.GetBaseException().Message}");
            }

            await Task.Delay(Pause);
        }
    }

    private async ValueTask<Stream> ConnectAsync(SocketsHttpConnectionContext context, CancellationToken cancellationToken)
    {
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            await socket.ConnectAsync(context.DnsEndPoint, cancellationToken);
            _tally.Connect();
            return new NetworkStream(socket, ownsSocket: true);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }
}
