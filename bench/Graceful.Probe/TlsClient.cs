using System.Diagnostics;
using System.Net;
using System.Net.Security;
using System.Net.Sockets;

namespace Graceful.Probe;

// One client over TLS: the same questions as on a plain socket, asked through SslStream.
internal sealed class TlsClient(ClientKind kind, byte source, LoadPlan plan, TlsLoad load) : IDisposable
{
    private readonly AnswerReader answer = new();
    private readonly byte[] buffer = new byte[16 * 1024];
    private readonly byte[] request = kind == ClientKind.Slow ? plan.SlowRequest : plan.Request;
    private Socket? socket;
    private SslStream? stream;

    // A read is always pending on a kept connection, as in HttpClient: it sees the close, and it is the first read of the next answer.
    private Task<int>? read;
    private int failures;

    // Any certificate is taken: the probe tests manners, not identity.
#pragma warning disable CA5359
    public static SslClientAuthenticationOptions Options { get; } = new()
    {
        TargetHost = "localhost",
        RemoteCertificateValidationCallback = (_, _, _, _) => true,
    };
#pragma warning restore CA5359

    public async Task RunAsync()
    {
        while (load.Stage < Stage.Gone)
        {
            bool answered = await RequestAsync();
            if (kind is ClientKind.Idle or ClientKind.Slow)
            {
                break;
            }
            failures = answered ? 0 : Math.Min(failures + 1, 7);
            if (!answered)
            {
                await load.PauseAsync(TimeSpan.FromMilliseconds(2 << failures));
            }
            else if (kind == ClientKind.KeepAlive && plan.Think > TimeSpan.Zero)
            {
                await load.PauseAsync(plan.Think);
            }
        }
        if (kind == ClientKind.Idle)
        {
            load.IdleOpenedOrNot();
            if (stream is not null)
            {
                await SitAsync();
            }
        }
        Dispose();
    }

    // The run is over for this client: whatever is still open may be reset.
    public void Dispose() => Close(CloseWith.Reset);

    // True when there was a complete answer.
    private async Task<bool> RequestAsync()
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
            await stream!.WriteAsync(request, load.Cut).AsTask().WaitAsync(plan.RequestLimit, load.Cut);
            while (!answer.IsComplete && !answer.IsMalformed)
            {
                TimeSpan left = plan.RequestLimit - Stopwatch.GetElapsedTime(from);
                int count = await (read ??= Read()).WaitAsync(left > TimeSpan.Zero ? left : TimeSpan.Zero, load.Cut);
                read = null;
                if (count == 0)
                {
                    answer.End();
                    break;
                }
                load.ReceivedAt(Stopwatch.GetTimestamp());
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
        load.CountAnswer(kind, answer);
        Keep();
        return true;
    }

    private void Keep()
    {
        if (kind is ClientKind.Connect or ClientKind.Slow)
        {
            Close(plan.CloseWith);
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
        load.Count(kind, Outcome.ClosedIdle);
        Close(CloseWith.Fin);
        return false;
    }

    // An idle connection until it is closed, or until nothing more is to be expected.
    private async Task SitAsync()
    {
        try
        {
            await read!.WaitAsync(load.Settled);
            load.CountIdleEnd(reset: false);
        }
        catch (IOException)
        {
            load.CountIdleEnd(reset: true);
        }
        catch (OperationCanceledException)
        {
            load.CountIdleOpen();
        }
    }

    // Connects and shakes hands. A connection that completed and was cut during the TLS handshake is a lost one: the client had begun.
    private async Task<bool> OpenAsync()
    {
        bool connected = false;
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(load.Cut);
        try
        {
            socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            socket.SetRawSocketOption(Libc.IPPROTO_IP, Libc.IP_BIND_ADDRESS_NO_PORT, BitConverter.GetBytes(1));
            socket.Bind(new IPEndPoint(new IPAddress([127, 0, 0, source]), 0));
            limit.CancelAfter(plan.ConnectLimit);
            await socket.ConnectAsync(new IPEndPoint(IPAddress.Loopback, plan.Port), limit.Token);
            connected = true;
            load.CountConnection();
            limit.CancelAfter(plan.RequestLimit);
            stream = new SslStream(new NetworkStream(socket, ownsSocket: false));
            await stream.AuthenticateAsClientAsync(Options, limit.Token);
            return true;
        }
        catch (OperationCanceledException)
        {
            return Fail(connected ? Outcome.Unanswered : Outcome.ConnectTimeout);
        }
        catch (SocketException e) when (!connected)
        {
            return e.SocketErrorCode switch
            {
                SocketError.ConnectionRefused => Fail(Outcome.Refused),
                SocketError.TimedOut => Fail(Outcome.ConnectTimeout),
                SocketError.ConnectionReset => Fail(Outcome.LostNew),
                _ => ProbeError(e.SocketErrorCode),
            };
        }
        catch (Exception e) when (connected && e is IOException or System.Security.Authentication.AuthenticationException or SocketException)
        {
            return Fail(Outcome.LostNew);
        }
    }

    private Task<int> Read() => stream!.ReadAsync(buffer).AsTask();

    private bool Fail(Outcome outcome)
    {
        load.Count(kind, outcome);
        Close(CloseWith.Fin);
        return false;
    }

    private bool ProbeError(SocketError error)
    {
        load.CountProbeError(error == SocketError.AddressNotAvailable ? "connect: EADDRNOTAVAIL" : $"connect: {error}");
        Close(CloseWith.Fin);
        return false;
    }

    // The same as on a plain socket: a reset only after a complete answer or at the end of the run.
    private void Close(CloseWith how)
    {
        if (socket is null)
        {
            return;
        }
        read = null;
        socket.LingerState = new LingerOption(how == CloseWith.Reset, 0);
        socket.Dispose();
        stream?.Dispose();
        socket = null;
        stream = null;
    }
}
