using System.Diagnostics;
using System.Net.Sockets;

namespace Graceful.Probe;

// One client of HTTP/2. Those that keep their connection may share it.
internal sealed class Http2Client(ClientKind kind, byte source, Http2Channel? shared, LoadPlan plan, TaskLoad load) : TaskClient(kind, plan, load)
{
    private readonly byte[] buffer = new byte[16 * 1024];
    private Http2Channel? own;

    public override void Dispose()
    {
        own?.Dispose();
        own = null;
    }

    public override async Task<bool> RequestAsync()
    {
        Http2Channel channel = shared ?? (own ??= new Http2Channel(Kind, source, Plan, Load));
        channel.Begin();
        try
        {
            return await AskAsync(channel);
        }
        finally
        {
            channel.End();
            if (Kind is ClientKind.Connect or ClientKind.Slow)
            {
                Dispose();
            }
        }
    }

    protected override async Task SitAsync()
    {
        if (Kind != ClientKind.Idle || own is not { HasAnswered: true })
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

    private async Task<bool> AskAsync(Http2Channel channel)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(Load.Cut);
        limit.CancelAfter(Plan.RequestLimit);
        HttpResponseMessage? response = null;
        try
        {
            response = await channel.SendAsync(Plan.PathOf(Kind), limit.Token);
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
            channel.HasAnswered = true;
            Load.CountAnswer(Kind, (int)response.StatusCode, told: false, kept: true);
            return true;
        }
        catch (OperationCanceledException) when (limit.IsCancellationRequested)
        {
            return Count(Outcome.Unanswered);
        }
        catch (Exception e) when (e is HttpRequestException or IOException or OperationCanceledException)
        {
            return response is not null ? Count(Outcome.Truncated) : Failed(e, channel.HasAnswered);
        }
        finally
        {
            response?.Dispose();
        }
    }

    // Nothing of an answer reached the caller.
    private bool Failed(Exception e, bool reused)
    {
        switch (e)
        {
            case OperationCanceledException:
                return Count(Outcome.ConnectTimeout);
            case HttpRequestException { HttpRequestError: HttpRequestError.ConnectionError, InnerException: SocketException socket }:
                if (Connector.Meaning(socket, connected: false) is Outcome outcome)
                {
                    return Count(outcome);
                }
                Load.CountProbeError(socket);
                return false;
            case HttpRequestException { HttpRequestError: HttpRequestError.InvalidResponse }:
                return Count(Outcome.Malformed);
            default:
                return Count(reused ? Outcome.LostReused : Outcome.LostNew);
        }
    }
}
