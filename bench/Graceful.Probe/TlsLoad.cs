namespace Graceful.Probe;

// The clients over TLS, as tasks. Their handshakes cost far more than the counting, so one lock does for the tally.
internal sealed class TlsLoad : ILoad, IDisposable
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
    private int idleToOpen;
    private int idleOpening;
    private Task all = Task.CompletedTask;

    public TlsLoad(LoadPlan plan, StageBoard board)
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

    public void CountAnswer(ClientKind kind, AnswerReader answer)
    {
        lock (gate)
        {
            tally.CountAnswer(kind, Signalled, answer.Status, answer.ToldToClose);
            if (kind == ClientKind.Idle && answer.KeepAlive)
            {
                tally.IdleOpened++;
            }
        }
    }

    public void CountConnection()
    {
        lock (gate)
        {
            tally.CountConnection();
        }
    }

    public void CountProbeError(string what)
    {
        lock (gate)
        {
            tally.CountProbeError(what);
        }
    }

    public void CountIdleEnd(bool reset)
    {
        lock (gate)
        {
            tally.IdleReset += reset ? 1 : 0;
            tally.IdleFin += reset ? 0 : 1;
            tally.Count(ClientKind.Idle, Signalled, Outcome.ClosedIdle);
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
        gone.Dispose();
        cut.Dispose();
        settled.Dispose();
    }

    private async Task RunAsync()
    {
        int number = 0;
        TlsClient New(ClientKind kind) => new(kind, SourceAddresses.LastByte(number++, plan.Sources), plan, this);
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
