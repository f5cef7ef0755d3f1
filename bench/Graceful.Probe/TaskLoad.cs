using System.Net.Sockets;

namespace Graceful.Probe;

// The clients as tasks: whatever is not plain HTTP/1.1 over TCP. What they do costs far more than the counting, so one lock does
// for the tally.
internal sealed class TaskLoad : ILoad, IDisposable
{
    private const int IdleAtOnce = 64;
    private static readonly TimeSpan Tick = TimeSpan.FromMilliseconds(10);

    private readonly LoadPlan plan;
    private readonly StageBoard board;
    private readonly Lock gate = new();
    private readonly Tally tally = new();
    private readonly CancellationTokenSource gone = new();
    private readonly CancellationTokenSource cut = new();
    private readonly CancellationTokenSource settled = new();
    private readonly List<Http2Channel> channels = [];
    private int idleToOpen;
    private int idleOpening;
    private int sharing;
    private Task all = Task.CompletedTask;

    public TaskLoad(LoadPlan plan, StageBoard board)
    {
        this.plan = plan;
        this.board = board;
        idleToOpen = plan.Idle;
    }

    public Stage Stage => board.Stage;

    // Cancelled when the probe gives up waiting for what is in flight.
    public CancellationToken Cut => cut.Token;

    // Cancelled when the server is gone, nothing is in flight and the idle connections have had a moment to end.
    public CancellationToken Settled => settled.Token;

    public long AnswersSoFar => tally.AnswersSoFar;

    public long ConnectionsSoFar => tally.ConnectionsSoFar;

    public int IdleToOpen => Volatile.Read(ref idleToOpen);

    private bool Signalled => board.Stage >= Stage.Signalled;

    public void Start() => all = Task.Run(RunAsync);

    public bool Join(TimeSpan limit) => all.Wait(limit);

    public Tally Tally() => tally;

    public async Task PauseAsync(TimeSpan time)
    {
        try
        {
            await Task.Delay(time, gone.Token);
        }
        catch (OperationCanceledException)
        {
            // The server is gone: the pause is over, and so is the client.
        }
    }

    public void Count(ClientKind kind, Outcome outcome)
    {
        lock (gate)
        {
            tally.Count(kind, Signalled, outcome);
        }
    }

    public void CountAnswer(ClientKind kind, IAnswerReader answer) => CountAnswer(kind, answer.Status, answer.ToldToClose, answer.KeepAlive);

    public void CountAnswer(ClientKind kind, int status, bool told, bool kept)
    {
        lock (gate)
        {
            tally.CountAnswer(kind, Signalled, status, told);
            if (kind == ClientKind.Idle && kept)
            {
                tally.IdleOpened++;
            }
        }
    }

    public void CountTold(ClientKind kind)
    {
        lock (gate)
        {
            tally.CountTold(kind, Signalled);
        }
    }

    public void CountConnection()
    {
        lock (gate)
        {
            tally.CountConnection();
        }
    }

    public void CountProbeError(SocketException error)
    {
        lock (gate)
        {
            tally.CountProbeError(error.SocketErrorCode == SocketError.AddressNotAvailable ? "connect: EADDRNOTAVAIL" : $"connect: {error.SocketErrorCode}");
        }
    }

    public void CountIdleEnd(bool reset, Outcome outcome)
    {
        lock (gate)
        {
            tally.IdleReset += reset ? 1 : 0;
            tally.IdleFin += reset ? 0 : 1;
            tally.Count(ClientKind.Idle, Signalled, outcome);
        }
    }

    public void CountIdleOpen()
    {
        lock (gate)
        {
            tally.IdleOpen++;
        }
    }

    public void ReceivedAt(long now)
    {
        lock (gate)
        {
            tally.ReceivedAt(Math.Max(now, tally.LastByteAt));
        }
    }

    public void IdleOpenedOrNot()
    {
        Interlocked.Decrement(ref idleOpening);
        Interlocked.Decrement(ref idleToOpen);
    }

    public void Dispose()
    {
        foreach (Http2Channel channel in channels)
        {
            channel.Dispose();
        }
        gone.Dispose();
        cut.Dispose();
        settled.Dispose();
    }

    // The one client that asks whether the server is up.
    public TaskClient Asker() => New(ClientKind.Connect, 0);

    private TaskClient New(ClientKind kind, int number)
    {
        byte source = SourceAddresses.LastByte(number, plan.Sources);
        return plan.Protocol switch
        {
            Protocol.WebSocket => new WebSocketClient(kind, source, plan, this),
            Protocol.Http2 => new Http2Client(kind, source, kind == ClientKind.KeepAlive ? Channel(source) : null, plan, this),
            _ => new StreamClient(kind, source, plan, this),
        };
    }

    // The one that is not shared by enough clients yet, or a new one.
    private Http2Channel Channel(byte source)
    {
        if (sharing++ % plan.Streams == 0)
        {
            channels.Add(new Http2Channel(ClientKind.KeepAlive, source, plan, this));
        }
        return channels[^1];
    }

    private async Task RunAsync()
    {
        int number = 0;
        TaskClient New(ClientKind kind) => this.New(kind, number++);
        var busy = new List<Task>();
        var idle = new List<Task>();
        for (int i = 0; i < Math.Max(plan.KeepAlive, plan.Connect); i++)
        {
            if (i < plan.KeepAlive)
            {
                busy.Add(Task.Run(New(ClientKind.KeepAlive).RunAsync));
            }
            if (i < plan.Connect)
            {
                busy.Add(Task.Run(New(ClientKind.Connect).RunAsync));
            }
        }
        bool slowSent = false;
        while (board.Stage < Stage.Gone)
        {
            while (board.Stage >= Stage.OpenIdle && idle.Count < plan.Idle && Volatile.Read(ref idleOpening) < IdleAtOnce)
            {
                Interlocked.Increment(ref idleOpening);
                idle.Add(Task.Run(New(ClientKind.Idle).RunAsync));
            }
            for (int i = 0; board.Stage >= Stage.SendSlow && !slowSent && i < plan.Slow; i++)
            {
                busy.Add(Task.Run(New(ClientKind.Slow).RunAsync));
            }
            slowSent |= board.Stage >= Stage.SendSlow;
            await Task.Delay(Tick);
        }
        await gone.CancelAsync();
        Task busyDone = Task.WhenAll(busy);
        while (!busyDone.IsCompleted && board.Stage < Stage.Cut)
        {
            await Task.WhenAny(busyDone, Task.Delay(Tick));
        }
        if (board.Stage == Stage.Cut)
        {
            await cut.CancelAsync();
            await settled.CancelAsync();
        }
        // As on plain sockets: what is still open a moment after the exit is held by somebody else.
        settled.CancelAfter(200);
        await busyDone;
        await Task.WhenAll(idle);
    }
}
