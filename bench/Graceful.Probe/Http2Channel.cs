using System.Collections.Concurrent;
using System.Net;
using System.Net.Security;
using System.Net.Sockets;

namespace Graceful.Probe;

// .NET's own HTTP/2 client with one connection at a time, for one client or for a few that share it. What it repeats by itself
// is its user's luck, and counted as unprocessed; what reaches the caller is counted as what the frames say of it.
internal sealed class Http2Channel : IDisposable
{
    private readonly ClientKind kind;
    private readonly LoadPlan plan;
    private readonly TaskLoad load;
    private readonly Connector connector;
    private readonly HttpMessageInvoker invoker;
    private readonly TaskCompletionSource<bool> firstEnd = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly ConcurrentDictionary<long, Exchange> exchanges = [];
    private long number;
    private int disposed;
    private int endedUnused;

    public Http2Channel(ClientKind kind, byte source, LoadPlan plan, TaskLoad load)
    {
        this.kind = kind;
        this.plan = plan;
        this.load = load;
        connector = new Connector(plan, source);
        invoker = new HttpMessageInvoker(new SocketsHttpHandler
        {
            UseProxy = false,
            UseCookies = false,
            AllowAutoRedirect = false,
            ActivityHeadersPropagator = null,
            ConnectTimeout = plan.ConnectLimit,
            PooledConnectionIdleTimeout = Timeout.InfiniteTimeSpan,
            PooledConnectionLifetime = Timeout.InfiniteTimeSpan,
            ConnectCallback = ConnectAsync,
            PlaintextStreamFilter = (context, _) => ValueTask.FromResult<Stream>(new WatchedStream(context.PlaintextStream, this)),
            SslOptions = new SslClientAuthenticationOptions
            {
                TargetHost = Connector.Tls.TargetHost,
                RemoteCertificateValidationCallback = Connector.Tls.RemoteCertificateValidationCallback,
            },
        });
    }

    // How the first connection ended: by a reset or not.
    public Task<bool> FirstEnd => firstEnd.Task;

    public Exchange Begin()
    {
        var exchange = new Exchange(Interlocked.Increment(ref number));
        exchanges[exchange.Number] = exchange;
        return exchange;
    }

    public void End(Exchange exchange) => exchanges.TryRemove(exchange.Number, out _);

    public async Task<HttpResponseMessage> SendAsync(string path, Exchange exchange, CancellationToken token)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, new Uri($"{(plan.Tls ? "https" : "http")}://localhost:{plan.Port}{path}"))
        {
            Version = HttpVersion.Version20,
            VersionPolicy = HttpVersionPolicy.RequestVersionExact,
        };
        exchange.Mark(request.Headers);
        return await invoker.SendAsync(request, token);
    }

    // Whether the server ended a connection before it had carried a request. Asked once for each.
    public bool EndedUnused() => Interlocked.Exchange(ref endedUnused, 0) == 1;

    public void Dispose()
    {
        Volatile.Write(ref disposed, 1);
        invoker.Dispose();
    }

    public Exchange? Find(ReadOnlySpan<byte> headers) => Exchange.NumberIn(headers) is long number ? exchanges.GetValueOrDefault(number) : null;

    public void Told() => load.CountTold(kind);

    // HttpClient repeats it.
    public async void Declined(Task<bool> sent)
    {
        if (await sent)
        {
            load.Count(kind, Outcome.Unprocessed);
        }
    }

    // Idle when nothing was asked at the first word of the end.
    public void Ended(bool reset, bool carried, bool wasIdle)
    {
        // What we ended ourselves says nothing about the server.
        if (Volatile.Read(ref disposed) == 1)
        {
            return;
        }
        if (wasIdle && kind != ClientKind.Idle)
        {
            load.Count(kind, Outcome.ClosedIdle);
        }
        if (!carried)
        {
            Volatile.Write(ref endedUnused, 1);
        }
        firstEnd.TrySetResult(reset);
    }

    private async ValueTask<Stream> ConnectAsync(SocketsHttpConnectionContext context, CancellationToken token)
    {
        Socket socket = await connector.ConnectAsync(token);
        load.CountConnection();
        return new NetworkStream(socket, ownsSocket: true);
    }
}
