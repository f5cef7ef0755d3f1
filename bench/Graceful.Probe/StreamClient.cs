using System.Diagnostics;
using System.Net.Sockets;

namespace Graceful.Probe;

// One client that sends bytes and reads one answer to them: HTTP/1.1, FastCGI and event streams, over TCP, Unix sockets and TLS.
internal sealed class StreamClient(ClientKind kind, byte source, LoadPlan plan, TaskLoad load) : TaskClient(kind, plan, load)
{
    private readonly IAnswerReader answer = plan.Protocol switch
    {
        Protocol.FastCgi => new FastCgiAnswerReader(),
        Protocol.Sse => new SseAnswerReader(looksIn: kind == ClientKind.Connect),
        _ => new AnswerReader(),
    };

    private readonly Connector connector = new(plan, source);
    private readonly byte[] buffer = new byte[16 * 1024];
    private readonly byte[] request = plan.RequestOf(kind);
    private Socket? socket;
    private Stream? stream;

    // A read is always pending on a kept connection, as in HttpClient: it sees the close, and it is the first read of the next answer.
    private Task<int>? read;

    // Whatever is still open may be reset.
    public override void Dispose() => Close(CloseWith.Reset);

    public override async Task<bool> RequestAsync()
    {
        bool reused = stream is not null && await IsStillOpenAsync();
        if (!reused && !await OpenAsync())
        {
            return false;
        }
        long from = Stopwatch.GetTimestamp();
        try
        {
            answer.Reset();
            try
            {
                await stream!.WriteAsync(request, Load.Cut).AsTask().WaitAsync(Plan.RequestLimit, Load.Cut);
            }
            catch (IOException e) when (reused && e.InnerException is SocketException { SocketErrorCode: SocketError.Shutdown })
            {
                // EPIPE: it was closed, and the kernel took nothing of a request that is one write.
                Load.Count(Kind, Outcome.ClosedIdle);
                Close(CloseWith.Fin);
                return await RequestAsync();
            }
            while (!answer.IsComplete && !answer.IsMalformed && !answer.IsTruncated)
            {
                TimeSpan left = answer.IsHeld ? Timeout.InfiniteTimeSpan : Plan.RequestLimit - Stopwatch.GetElapsedTime(from);
                int count = await (read ??= Read()).WaitAsync(left > TimeSpan.Zero || answer.IsHeld ? left : TimeSpan.Zero, Load.Cut);
                read = null;
                if (count == 0)
                {
                    answer.End();
                    break;
                }
                Load.ReceivedAt(Stopwatch.GetTimestamp());
                answer.Feed(buffer.AsSpan(0, count));
            }
        }
        catch (Exception e) when (e is TimeoutException or OperationCanceledException)
        {
            return Fail(Outcome.Unanswered);
        }
        catch (IOException)
        {
            // A reset: what it means depends on what had come before it.
        }
        if (answer.IsMalformed)
        {
            return Fail(Outcome.Malformed);
        }
        if (!answer.IsComplete)
        {
            return Fail(answer.Begun ? Outcome.Truncated : reused ? Outcome.LostReused : Outcome.LostNew);
        }
        Load.CountAnswer(Kind, answer);
        Keep();
        return true;
    }

    protected override async Task SitAsync()
    {
        if (Kind != ClientKind.Idle || stream is null)
        {
            return;
        }
        try
        {
            await read!.WaitAsync(Load.Settled);
            Load.CountIdleEnd(reset: false, Outcome.ClosedIdle);
        }
        catch (IOException)
        {
            Load.CountIdleEnd(reset: true, Outcome.ClosedIdle);
        }
        catch (OperationCanceledException)
        {
            Load.CountIdleOpen();
        }
    }

    private void Keep()
    {
        if (Kind is ClientKind.Connect or ClientKind.Slow)
        {
            Close(Plan.CloseWith);
        }
        else if (!answer.KeepAlive)
        {
            Close(CloseWith.Fin);
        }
        else
        {
            read = Read();
        }
    }

    private async Task<bool> IsStillOpenAsync()
    {
        // Something has come but the pending read has not seen the end of it: a session ticket, or the close itself.
        for (int i = 0; i < 50 && !read!.IsCompleted && socket!.Poll(0, SelectMode.SelectRead); i++)
        {
            await Task.Delay(1);
        }
        if (!read!.IsCompleted)
        {
            return true;
        }
        Load.Count(Kind, Outcome.ClosedIdle);
        Close(CloseWith.Fin);
        return false;
    }

    private async Task<bool> OpenAsync()
    {
        if (await ConnectAsync(connector) is not (Socket connected, Stream opened))
        {
            return false;
        }
        (socket, stream) = (connected, opened);
        return true;
    }

    private Task<int> Read() => stream!.ReadAsync(buffer).AsTask();

    private bool Fail(Outcome outcome)
    {
        Close(CloseWith.Fin);
        return Count(outcome);
    }

    // The same as on a plain socket: a reset only after a complete answer or at the end of the run.
    private void Close(CloseWith how)
    {
        if (socket is null)
        {
            return;
        }
        read = null;
        if (Plan.UnixPath is null)
        {
            socket.LingerState = new LingerOption(how == CloseWith.Reset, 0);
        }
        socket.Dispose();
        stream?.Dispose();
        socket = null;
        stream = null;
    }
}
