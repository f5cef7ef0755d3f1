using System.Net;
using System.Net.Security;
using System.Net.Sockets;

namespace Graceful.Probe;

// .NET's own HTTP/2 client with one connection at a time, for one client or for a few that share it. What it repeats by itself
// after a GOAWAY is its user's luck; what reaches the caller is counted.
internal sealed class Http2Channel : IDisposable
{
    private readonly ClientKind kind;
    private readonly LoadPlan plan;
    private readonly TaskLoad load;
    private readonly Connector connector;
    private readonly HttpMessageInvoker invoker;
    private readonly TaskCompletionSource<bool> firstEnd = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int inFlight;
    private int disposed;
    private bool hasAnswered;

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
            PlaintextStreamFilter = (context, _) => ValueTask.FromResult<Stream>(new WatchedStream(context.PlaintextStream, Told, Ended)),
            SslOptions = new SslClientAuthenticationOptions
            {
                TargetHost = Connector.Tls.TargetHost,
                RemoteCertificateValidationCallback = Connector.Tls.RemoteCertificateValidationCallback,
            },
        });
    }

    // The connection has already carried a complete answer.
    public bool HasAnswered
    {
        get => Volatile.Read(ref hasAnswered);
        set => Volatile.Write(ref hasAnswered, value);
    }

    // How the first connection ended: by a reset or not.
    public Task<bool> FirstEnd => firstEnd.Task;

    public async Task<HttpResponseMessage> SendAsync(string path, CancellationToken token)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, new Uri($"{(plan.Tls ? "https" : "http")}://localhost:{plan.Port}{path}"))
        {
            Version = HttpVersion.Version20,
            VersionPolicy = HttpVersionPolicy.RequestVersionExact,
        };
        return await invoker.SendAsync(request, token);
    }

    public void Begin() => Interlocked.Increment(ref inFlight);

    public void End() => Interlocked.Decrement(ref inFlight);

    public void Dispose()
    {
        Volatile.Write(ref disposed, 1);
        invoker.Dispose();
    }

    private async ValueTask<Stream> ConnectAsync(SocketsHttpConnectionContext context, CancellationToken token)
    {
        Socket socket = await connector.ConnectAsync(token);
        HasAnswered = false;
        load.CountConnection();
        return new NetworkStream(socket, ownsSocket: true);
    }

    private void Told() => load.CountTold(kind);

    private void Ended(bool reset)
    {
        // What we ended ourselves says nothing about the server.
        if (Volatile.Read(ref disposed) == 1)
        {
            return;
        }
        if (Volatile.Read(ref inFlight) == 0 && kind != ClientKind.Idle)
        {
            load.Count(kind, Outcome.ClosedIdle);
        }
        firstEnd.TrySetResult(reset);
    }
}
