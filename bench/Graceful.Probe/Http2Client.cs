using System.Diagnostics;
using System.Net.Sockets;

namespace Graceful.Probe;

// One client of HTTP/2. Those that keep their connection may share it.
internal sealed class Http2Client(ClientKind kind, byte source, Http2Channel? shared, LoadPlan plan, TaskLoad load) : TaskClient(kind, plan, load)
{
    private readonly byte[] buffer = new byte[16 * 1024];
    private Http2Channel? own;
    private bool answered;

    public override void Dispose()
    {
        own?.Dispose();
        own = null;
    }

    public override async Task<bool> RequestAsync()
    {
        Http2Channel channel = shared ?? (own ??= new Http2Channel(Kind, source, Plan, Load));
        Exchange exchange = channel.Begin();
        try
        {
            return answered = await AskAsync(channel, exchange);
        }
        finally
        {
            channel.End(exchange);
            if (Kind is ClientKind.Connect or ClientKind.Slow)
            {
                Dispose();
            }
        }
    }

    protected override async Task SitAsync()
    {
        if (Kind != ClientKind.Idle || own is null || !answered)
        {
            return;
        }
        try
        {
            Load.CountIdleEnd(await own.FirstEnd.WaitAsync(Load.Settled), Outcome.ClosedIdle);
        }
        catch (OperationCanceledException)
        {
            Load.CountIdleOpen();
        }
    }

    private async Task<bool> AskAsync(Http2Channel channel, Exchange exchange)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(Load.Cut);
        limit.CancelAfter(Plan.RequestLimit);
        HttpResponseMessage? response = null;
        try
        {
            response = await channel.SendAsync(Plan.PathOf(Kind), exchange, limit.Token);
            Load.ReceivedAt(Stopwatch.GetTimestamp());
            using Stream body = await response.Content.ReadAsStreamAsync(limit.Token);
            long length = 0;
            for (int count; (count = await body.ReadAsync(buffer, limit.Token)) > 0; length += count)
            {
                Load.ReceivedAt(Stopwatch.GetTimestamp());
            }
            if (response.Content.Headers.ContentLength is long whole && whole != length)
            {
                return Count(Outcome.Truncated);
            }
            Load.CountAnswer(Kind, (int)response.StatusCode, told: false, kept: true);
            return true;
        }
        catch (OperationCanceledException) when (limit.IsCancellationRequested)
        {
            return Count(Outcome.Unanswered);
        }
        catch (Exception e) when (e is HttpRequestException or IOException or OperationCanceledException)
        {
            return await FailedAsync(e, channel, exchange);
        }
        finally
        {
            response?.Dispose();
        }
    }

    private async Task<bool> FailedAsync(Exception e, Http2Channel channel, Exchange exchange)
    {
        HttpRequestError error = (e as HttpRequestException)?.HttpRequestError ?? (e as HttpIOException)?.HttpRequestError ?? HttpRequestError.Unknown;
        switch (error)
        {
            case HttpRequestError.ConnectionError when e.InnerException is SocketException socket:
                if (Connector.Meaning(socket, connected: false) is Outcome outcome)
                {
                    return Count(outcome);
                }
                Load.CountProbeError(socket);
                return false;
            case HttpRequestError.ConnectionError or HttpRequestError.SecureConnectionError:
                return Count(Outcome.LostNew);
            case HttpRequestError.Unknown when e is OperationCanceledException:
                return Count(Outcome.ConnectTimeout);
        }
        if (!await exchange.Sent)
        {
            // HttpClient had handed it to a connection that was just ending, or was told too often that nothing was done for it. Nobody lost
            // anything, but where the connection was ended before it could carry the first request the client had begun.
            return channel.EndedUnused() && Count(Outcome.LostNew);
        }
        if (exchange.IsMalformed || error == HttpRequestError.InvalidResponse || (error == HttpRequestError.HttpProtocolError && !exchange.WasReset))
        {
            return Count(Outcome.Malformed);
        }
        return Count(exchange.HasBegun ? Outcome.Truncated : exchange.WasOnReused ? Outcome.LostReused : Outcome.LostNew);
    }
}
