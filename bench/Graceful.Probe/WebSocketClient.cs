using System.Buffers.Binary;
using System.Diagnostics;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;

namespace Graceful.Probe;

// One client of an echo: a message is answered when the same comes back. It speaks frames by itself, since a library tells a half
// frame no better than a missing Close.
internal sealed class WebSocketClient(ClientKind kind, byte source, LoadPlan plan, TaskLoad load) : TaskClient(kind, plan, load)
{
    // A message that was sent no longer than this before the Close was read met it on the wire; an older one had reached the server.
    private static readonly TimeSpan Crossing = TimeSpan.FromMilliseconds(100);

    private readonly Connector connector = new(plan, source);
    private readonly SemaphoreSlim sending = new(1);
    private readonly byte[] upgrade = Encoding.ASCII.GetBytes(
        $"GET {plan.PathOf(kind)} HTTP/1.1\r\nHost: localhost:{plan.Port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        + $"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {Convert.ToBase64String(RandomNumberGenerator.GetBytes(16))}\r\n\r\n");

    private Socket? socket;
    private Stream? stream;
    private Task<WebSocketEnd> reading = Task.FromResult(WebSocketEnd.Polite);
    private TaskCompletionSource<byte[]> echo = new();
    private bool answeredBefore;
    private bool leaves;
    private long number;
    private long endedAt;

    private Outcome Lost => answeredBefore ? Outcome.LostReused : Outcome.LostNew;

    public override void Dispose()
    {
        Close();
        sending.Dispose();
    }

    public override async Task<bool> RequestAsync()
    {
        if (stream is not null && reading.IsCompleted)
        {
            Count(EndUnasked(await reading));
            Close();
        }
        if (stream is null && !await OpenAsync())
        {
            return false;
        }
        byte[] message = Encoding.ASCII.GetBytes(string.Create(System.Globalization.CultureInfo.InvariantCulture, $"message {++number}"));
        // Continued elsewhere, so that the reader of frames goes on at once.
        echo = new TaskCompletionSource<byte[]>(TaskCreationOptions.RunContinuationsAsynchronously);
        long sentAt = Stopwatch.GetTimestamp();
        try
        {
            await SendAsync(Frame.Text, message);
            await Task.WhenAny(echo.Task, reading).WaitAsync(Plan.RequestLimit, Load.Cut);
        }
        catch (Exception e) when (e is TimeoutException or OperationCanceledException)
        {
            return Fail(Outcome.Unanswered);
        }
        if (!echo.Task.IsCompleted)
        {
            return Fail(EndUnanswered(await reading, Stopwatch.GetElapsedTime(sentAt, endedAt)));
        }
        byte[] answer = await echo.Task;
        if (!answer.SequenceEqual(message))
        {
            return Fail(Outcome.Malformed);
        }
        answeredBefore = true;
        Load.CountAnswer(Kind, status: 200, told: false, kept: true);
        if (Kind is ClientKind.Connect or ClientKind.Slow)
        {
            await LeaveAsync();
        }
        return true;
    }

    // Also a busy client's last connection may end badly after its last message.
    protected override async Task SitAsync()
    {
        if (stream is null)
        {
            return;
        }
        try
        {
            WebSocketEnd end = await reading.WaitAsync(Load.Settled);
            Outcome outcome = EndUnasked(end);
            if (Kind == ClientKind.Idle)
            {
                Load.CountIdleEnd(end != WebSocketEnd.Polite, outcome);
            }
            else
            {
                Count(outcome);
            }
        }
        catch (OperationCanceledException) when (Kind == ClientKind.Idle)
        {
            Load.CountIdleOpen();
        }
        catch (OperationCanceledException)
        {
            // Still open and nothing asked: nobody lost anything.
        }
    }

    private Outcome EndUnasked(WebSocketEnd end) => end switch
    {
        WebSocketEnd.Polite => Outcome.ClosedIdle,
        WebSocketEnd.Inside => Outcome.Truncated,
        WebSocketEnd.Malformed => Outcome.Malformed,
        _ => Lost,
    };

    private Outcome EndUnanswered(WebSocketEnd end, TimeSpan since) => end switch
    {
        WebSocketEnd.Polite when since <= Crossing => Outcome.Crossed,
        WebSocketEnd.Inside => Outcome.Truncated,
        WebSocketEnd.Malformed => Outcome.Malformed,
        _ => Lost,
    };

    private async Task<bool> OpenAsync()
    {
        answeredBefore = false;
        leaves = false;
        if (await ConnectAsync(connector) is not (Socket connected, Stream opened))
        {
            return false;
        }
        (socket, stream) = (connected, opened);
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(Load.Cut);
        limit.CancelAfter(Plan.RequestLimit);
        return await UpgradeAsync(limit.Token);
    }

    private async Task<bool> UpgradeAsync(CancellationToken limit)
    {
        var answer = new AnswerReader();
        var buffer = new byte[16 * 1024];
        answer.Reset();
        try
        {
            await stream!.WriteAsync(upgrade, limit);
            while (!answer.IsComplete && !answer.IsMalformed)
            {
                int count = await stream.ReadAsync(buffer, limit);
                if (count == 0)
                {
                    answer.End();
                    break;
                }
                Load.ReceivedAt(Stopwatch.GetTimestamp());
                int used = answer.Feed(buffer.AsSpan(0, count));
                if (answer.IsComplete && answer.Status == 101)
                {
                    reading = ReadAsync(new FrameReader(stream, buffer.AsMemory(used, count - used)));
                    return true;
                }
            }
        }
        catch (OperationCanceledException)
        {
            return Fail(Outcome.Unanswered);
        }
        catch (IOException)
        {
            // A reset: what it means depends on what had come before it.
        }
        if (answer.IsComplete)
        {
            Load.CountAnswer(Kind, answer.Status, answer.ToldToClose, kept: false);
            Close();
            return false;
        }
        return Fail(answer.IsMalformed ? Outcome.Malformed : answer.Begun ? Outcome.Truncated : Outcome.LostNew);
    }

    private async Task<WebSocketEnd> ReadAsync(FrameReader frames)
    {
        var message = new MemoryStream();
        bool inMessage = false;
        try
        {
            while (await frames.ReadAsync() is Frame frame)
            {
                Load.ReceivedAt(Stopwatch.GetTimestamp());
                switch (frame.Opcode)
                {
                    case Frame.Close:
                        endedAt = Stopwatch.GetTimestamp();
                        return inMessage ? WebSocketEnd.Inside : await CloseAsync(frame.Payload);
                    case Frame.Ping:
                        await SendAsync(Frame.Pong, frame.Payload);
                        break;
                    case Frame.Pong:
                        break;
                    case Frame.Continuation when !inMessage:
                        return WebSocketEnd.Malformed;
                    default:
                        message.Write(frame.Payload);
                        inMessage = !frame.IsLast;
                        if (frame.IsLast)
                        {
                            echo.TrySetResult(message.ToArray());
                            message.SetLength(0);
                        }
                        break;
                }
            }
            endedAt = Stopwatch.GetTimestamp();
            return inMessage ? WebSocketEnd.Inside : WebSocketEnd.Aborted;
        }
        catch (InvalidDataException)
        {
            return WebSocketEnd.Malformed;
        }
        catch (Exception e) when (e is IOException or ObjectDisposedException or TimeoutException or OperationCanceledException)
        {
            return frames.IsInside || inMessage ? WebSocketEnd.Inside : WebSocketEnd.Aborted;
        }
    }

    // The server's Close is answered with the same, and what it says decides.
    private async Task<WebSocketEnd> CloseAsync(byte[] payload)
    {
        if (leaves)
        {
            // The answer to our own.
            return WebSocketEnd.Polite;
        }
        int code = payload.Length < 2 ? 1000 : BinaryPrimitives.ReadUInt16BigEndian(payload);
        await SendAsync(Frame.Close, payload[..Math.Min(2, payload.Length)]);
        if (code is not (1000 or 1001 or 1012))
        {
            return WebSocketEnd.Aborted;
        }
        Load.CountTold(Kind);
        return WebSocketEnd.Polite;
    }

    // The client's own end, in good order. Its answer was complete: what becomes of the Close is no loss.
    private async Task LeaveAsync()
    {
        leaves = true;
        try
        {
            await SendAsync(Frame.Close, [3, 232]);
            await reading.WaitAsync(Plan.RequestLimit, Load.Cut);
        }
        catch (Exception e) when (e is TimeoutException or OperationCanceledException)
        {
        }
        Close();
    }

    // A connection that is gone is seen by whoever reads.
    private async Task SendAsync(byte opcode, byte[] payload)
    {
        await sending.WaitAsync();
        try
        {
            byte[] mask = RandomNumberGenerator.GetBytes(4);
            byte[] frame = [(byte)(0x80 | opcode), (byte)(0x80 | payload.Length), .. mask, .. payload.Select((b, i) => (byte)(b ^ mask[i % 4]))];
            if (stream is Stream open)
            {
                await open.WriteAsync(frame, Load.Cut).AsTask().WaitAsync(Plan.RequestLimit, Load.Cut);
            }
        }
        catch (Exception e) when (e is IOException or ObjectDisposedException)
        {
        }
        finally
        {
            sending.Release();
        }
    }

    private bool Fail(Outcome outcome)
    {
        Close();
        return Count(outcome);
    }

    private void Close()
    {
        stream?.Dispose();
        socket?.Dispose();
        stream = null;
        socket = null;
    }
}
