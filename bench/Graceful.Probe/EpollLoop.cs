using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Graceful.Probe;

// Many clients on one thread: non-blocking sockets, edge-triggered epoll, no allocation while it runs. The server under test
// shares the machine, so every system call saved here is one more request there.
internal sealed unsafe class EpollLoop
{
    private const int EventsAtOnce = 512;
    private const int ReceiveBytes = 64 * 1024;
    private const int TickMilliseconds = 20;
    private const int IdleAtOnce = 64;
    private const int ConnectsPerTurn = 64;
    private static readonly long OneMillisecond = Stopwatch.Frequency / 1000;

    private readonly LoadPlan plan;
    private readonly StageBoard board;
    private readonly Client[] clients;
    private readonly Queue<Client> toStart;
    private readonly Queue<Client> idleToStart;
    private readonly Queue<Client> slowToStart;
    private readonly PriorityQueue<Client, long> waiting;
    private readonly long requestLimit;
    private readonly long connectLimit;
    private readonly long think;
    private readonly byte[] server;
    private readonly byte[] request;
    private readonly byte[] slowRequest;
    private int epoll;
    private byte* events;
    private byte* received;
    private int inFlight;
    private int sitting;
    private int idleOpening;
    private int idleToOpen;
    private long nextScan;

    public EpollLoop(LoadPlan plan, StageBoard board, IReadOnlyList<Client> clients)
    {
        this.plan = plan;
        this.board = board;
        this.clients = [.. clients];
        // Keep-alive clients and connecting ones in turn, so that neither has the server to itself at first.
        toStart = new(clients.Where(c => c.Kind is ClientKind.KeepAlive or ClientKind.Connect).OrderBy(c => c.Index));
        idleToStart = new(clients.Where(c => c.Kind == ClientKind.Idle));
        slowToStart = new(clients.Where(c => c.Kind == ClientKind.Slow));
        idleToOpen = idleToStart.Count;
        waiting = new(clients.Count + 1);
        requestLimit = Ticks(plan.RequestLimit);
        connectLimit = Ticks(plan.ConnectLimit);
        think = Ticks(plan.Think);
        server = Pinned(Libc.Address(127, 0, 0, 1, plan.Port));
        request = Pinned(plan.Request);
        slowRequest = Pinned(plan.SlowRequest);
    }

    public Tally Tally { get; } = new();

    public int IdleToOpen => Volatile.Read(ref idleToOpen);

    private bool Signalled => board.Stage >= Stage.Signalled;

    public void Run()
    {
        epoll = Libc.EpollCreate(Libc.EPOLL_CLOEXEC);
        if (epoll < 0)
        {
            Tally.CountProbeError($"epoll_create1: {Libc.ErrorName(Libc.Errno)}");
            return;
        }
        events = (byte*)NativeMemory.AllocZeroed((nuint)(EventsAtOnce * Libc.EventSize));
        received = (byte*)NativeMemory.Alloc(ReceiveBytes);
        try
        {
            Loop();
        }
        finally
        {
            foreach (Client client in clients)
            {
                Close(client, CloseWith.Reset);
            }
            NativeMemory.Free(events);
            NativeMemory.Free(received);
            _ = Libc.Close(epoll);
        }
    }

    private void Loop()
    {
        long settledBy = 0;
        while (true)
        {
            Stage stage = board.Stage;
            long now = Stopwatch.GetTimestamp();
            if (stage == Stage.Cut)
            {
                CutWhatIsInFlight();
                break;
            }
            if (stage == Stage.Gone && inFlight == 0)
            {
                // The kernel closed the server's sockets before it told of its end; what is still open after a moment is
                // held by somebody else.
                settledBy = settledBy == 0 ? now + 200 * OneMillisecond : settledBy;
                if (sitting == 0 || now >= settledBy)
                {
                    break;
                }
            }
            StartWhatIsDue(stage);
            Wait(now);
            now = Stopwatch.GetTimestamp();
            Wake(now);
            if (now >= nextScan)
            {
                nextScan = now + 50 * OneMillisecond;
                Scan(now);
            }
        }
        Tally.IdleOpen = sitting;
    }

    private void StartWhatIsDue(Stage stage)
    {
        for (int i = 0; i < ConnectsPerTurn && toStart.TryDequeue(out Client? client); i++)
        {
            Begin(client);
        }
        while (stage >= Stage.OpenIdle && idleOpening < IdleAtOnce && idleToStart.TryDequeue(out Client? client))
        {
            idleOpening++;
            Begin(client);
        }
        while (stage >= Stage.SendSlow && slowToStart.TryDequeue(out Client? client))
        {
            Begin(client);
        }
    }

    private void Wait(long now)
    {
        int milliseconds = toStart.Count > 0 ? 0 : TickMilliseconds;
        if (waiting.TryPeek(out _, out long due))
        {
            milliseconds = (int)Math.Clamp((due - now + OneMillisecond - 1) / OneMillisecond, 0, milliseconds);
        }
        int count = Libc.EpollWait(epoll, events, EventsAtOnce, milliseconds);
        for (int i = 0; i < count; i++)
        {
            byte* ev = events + i * Libc.EventSize;
            ulong data = Unsafe.ReadUnaligned<ulong>(ev + Libc.EventData);
            Client client = clients[(int)(uint)data];
            // Left over from a connection that this client has replaced meanwhile.
            if (client.Fd != (int)(data >> 32))
            {
                continue;
            }
            Handle(client);
        }
    }

    private void Handle(Client client)
    {
        switch (client.State)
        {
            case ClientState.Connecting:
                Send(client);
                break;
            case ClientState.Reading:
                Receive(client);
                break;
            case ClientState.Waiting:
                LookAtKept(client);
                break;
            case ClientState.Sitting:
                LookAtSitting(client);
                break;
        }
    }

    private void Wake(long now)
    {
        while (waiting.TryPeek(out Client? client, out long due) && due <= now)
        {
            waiting.Dequeue();
            Begin(client);
        }
    }

    // Time limits, looked at now and then instead of one timer per request.
    private void Scan(long now)
    {
        foreach (Client client in clients)
        {
            if (client.State == ClientState.Connecting && now - client.Since > connectLimit)
            {
                Fail(client, Outcome.ConnectTimeout);
            }
            else if (client.State == ClientState.Reading && now - client.Since > requestLimit)
            {
                Fail(client, Outcome.Unanswered);
            }
        }
    }

    private void CutWhatIsInFlight()
    {
        foreach (Client client in clients)
        {
            if (client.State == ClientState.Reading)
            {
                Fail(client, Outcome.Unanswered);
            }
            else if (client.State == ClientState.Connecting)
            {
                Fail(client, Outcome.ConnectTimeout);
            }
        }
    }

    // The next request of this client, on the connection that it kept or on a new one.
    private void Begin(Client client)
    {
        if (board.Stage >= Stage.Gone)
        {
            client.State = ClientState.Done;
            if (client.Kind == ClientKind.Idle)
            {
                IdleOpenedOrNot();
            }
            return;
        }
        client.Answer.Reset();
        if (client.Fd >= 0 && LookAtKept(client))
        {
            inFlight++;
            Send(client);
            return;
        }
        Open(client);
    }

    // Peeks, as Go, curl and HttpClient do before they send on a kept connection. False when it is closed.
    private bool LookAtKept(Client client)
    {
        byte unused;
        nint count = Libc.Recv(client.Fd, &unused, 1, Libc.MSG_PEEK);
        if (count < 0 && Libc.Errno == Libc.EAGAIN)
        {
            return true;
        }
        // FIN, a reset, or bytes that nobody asked for (a 408, say): no client sends on such a connection.
        Tally.Count(client.Kind, Signalled, Outcome.ClosedIdle);
        Close(client, CloseWith.Fin);
        return false;
    }

    private void LookAtSitting(Client client)
    {
        byte unused;
        nint count = Libc.Recv(client.Fd, &unused, 1, Libc.MSG_PEEK);
        if (count < 0 && Libc.Errno == Libc.EAGAIN)
        {
            return;
        }
        if (count < 0)
        {
            Tally.IdleReset++;
        }
        else
        {
            Tally.IdleFin++;
        }
        Tally.Count(client.Kind, Signalled, Outcome.ClosedIdle);
        Close(client, CloseWith.Fin);
        client.State = ClientState.Done;
        sitting--;
    }

    private void Open(Client client)
    {
        inFlight++;
        int fd = Libc.Socket(Libc.AF_INET, Libc.SOCK_STREAM_NONBLOCK_CLOEXEC, 0);
        if (fd < 0)
        {
            ProbeError(client, "socket", Libc.Errno);
            return;
        }
        client.Fd = fd;
        client.Reused = false;
        client.State = ClientState.Connecting;
        client.Since = Stopwatch.GetTimestamp();
        // The port is chosen at connect, when the kernel knows the whole pair of addresses and can share ports between pairs.
        int yes = 1;
        byte* source = stackalloc byte[16] { Libc.AF_INET, 0, 0, 0, 127, 0, 0, client.Source, 0, 0, 0, 0, 0, 0, 0, 0 };
        _ = Libc.SetSockOpt(fd, Libc.IPPROTO_IP, Libc.IP_BIND_ADDRESS_NO_PORT, &yes, sizeof(int));
        if (Libc.Bind(fd, source, 16) < 0)
        {
            ProbeError(client, "bind", Libc.Errno);
            return;
        }
        if (Libc.Connect(fd, AddressOf(server), 16) < 0 && Libc.Errno != Libc.EINPROGRESS)
        {
            NotConnected(client, Libc.Errno);
            return;
        }
        // On loopback the handshake is usually over by now: sending at once saves a turn of the loop.
        Send(client);
        if (client.Fd < 0)
        {
            return;
        }
        // Edge-triggered and registered once per connection. Registering reports what is already there, so nothing is missed.
        uint wanted = Libc.EPOLLIN | Libc.EPOLLRDHUP | Libc.EPOLLET | (client.State == ClientState.Connecting ? Libc.EPOLLOUT : 0);
        byte* ev = stackalloc byte[16];
        Unsafe.WriteUnaligned(ev, wanted);
        Unsafe.WriteUnaligned(ev + Libc.EventData, ((ulong)(uint)fd << 32) | (uint)client.Index);
        if (Libc.EpollCtl(epoll, Libc.EPOLL_CTL_ADD, fd, ev) < 0)
        {
            ProbeError(client, "epoll_ctl", Libc.Errno);
        }
    }

    private void Send(Client client)
    {
        byte[] bytes = client.Kind == ClientKind.Slow ? slowRequest : request;
        nint sent = Libc.Send(client.Fd, AddressOf(bytes), bytes.Length, Libc.MSG_NOSIGNAL);
        if (sent == bytes.Length)
        {
            if (!client.Reused)
            {
                Tally.CountConnection();
            }
            client.State = ClientState.Reading;
            client.Since = Stopwatch.GetTimestamp();
            return;
        }
        if (sent >= 0)
        {
            // A hundred bytes always fit into an empty send buffer.
            ProbeError(client, "send took only a part of the request", 0);
            return;
        }
        int errno = Libc.Errno;
        if (client.Reused)
        {
            Fail(client, Outcome.LostReused);
        }
        else if (errno != Libc.EAGAIN)
        {
            NotConnected(client, errno);
        }
    }

    // Connecting, or sending at once on the new connection, ended with an error. The kernel says ECONNREFUSED only for a reset
    // that came before the handshake was over, ECONNRESET or EPIPE only for one that came after it.
    private void NotConnected(Client client, int errno)
    {
        switch (errno)
        {
            case Libc.ECONNREFUSED:
                Fail(client, Outcome.Refused);
                break;
            case Libc.ETIMEDOUT:
                Fail(client, Outcome.ConnectTimeout);
                break;
            case Libc.ECONNRESET or Libc.EPIPE or Libc.ENOTCONN:
                Tally.CountConnection();
                Fail(client, Outcome.LostNew);
                break;
            default:
                ProbeError(client, "connect", errno);
                break;
        }
    }

    private void Receive(Client client)
    {
        AnswerReader answer = client.Answer;
        while (true)
        {
            nint count = Libc.Recv(client.Fd, received, ReceiveBytes, 0);
            if (count < 0 && Libc.Errno == Libc.EAGAIN)
            {
                return;
            }
            if (count == 0)
            {
                answer.End();
            }
            else if (count > 0)
            {
                Tally.ReceivedAt(Stopwatch.GetTimestamp());
                answer.Feed(new ReadOnlySpan<byte>(received, (int)count));
            }
            if (answer.IsComplete)
            {
                Complete(client);
                return;
            }
            if (answer.IsMalformed)
            {
                Fail(client, Outcome.Malformed);
                return;
            }
            if (count <= 0)
            {
                Fail(client, answer.Begun ? Outcome.Truncated : client.Reused ? Outcome.LostReused : Outcome.LostNew);
                return;
            }
        }
    }

    private void Complete(Client client)
    {
        inFlight--;
        client.Failures = 0;
        client.Reused = true;
        AnswerReader answer = client.Answer;
        Tally.CountAnswer(client.Kind, Signalled, answer.Status, answer.ToldToClose);
        switch (client.Kind)
        {
            case ClientKind.Connect:
                Close(client, plan.CloseWith);
                Begin(client);
                break;
            case ClientKind.KeepAlive:
                if (!answer.KeepAlive)
                {
                    Close(client, CloseWith.Fin);
                }
                if (think == 0)
                {
                    Begin(client);
                    break;
                }
                Rest(client, think);
                if (client.Fd >= 0)
                {
                    // A FIN that came together with the answer makes no second edge.
                    LookAtKept(client);
                }
                break;
            case ClientKind.Idle:
                IdleOpenedOrNot();
                if (!answer.KeepAlive)
                {
                    Close(client, CloseWith.Fin);
                    client.State = ClientState.Done;
                    break;
                }
                Tally.IdleOpened++;
                sitting++;
                client.State = ClientState.Sitting;
                LookAtSitting(client);
                break;
            case ClientKind.Slow:
                Close(client, CloseWith.Fin);
                client.State = ClientState.Done;
                break;
        }
    }

    private void Fail(Client client, Outcome outcome)
    {
        inFlight--;
        Tally.Count(client.Kind, Signalled, outcome);
        GiveUp(client);
    }

    private void ProbeError(Client client, string call, int errno)
    {
        inFlight--;
        Tally.CountProbeError(errno == 0 ? call : $"{call}: {Libc.ErrorName(errno)}");
        GiveUp(client);
    }

    private void GiveUp(Client client)
    {
        Close(client, CloseWith.Fin);
        if (client.Kind is ClientKind.Idle or ClientKind.Slow)
        {
            client.State = ClientState.Done;
            if (client.Kind == ClientKind.Idle)
            {
                IdleOpenedOrNot();
            }
            return;
        }
        // 4 ms, 8 ms and so on to 256 ms: a server that refuses shall not have to share the processor with the asking.
        client.Failures = Math.Min(client.Failures + 1, 7);
        Rest(client, (2L << client.Failures) * OneMillisecond);
    }

    private void Rest(Client client, long ticks)
    {
        client.State = ClientState.Waiting;
        waiting.Enqueue(client, Stopwatch.GetTimestamp() + ticks);
    }

    private void IdleOpenedOrNot()
    {
        idleOpening--;
        Volatile.Write(ref idleToOpen, idleToOpen - 1);
    }

    // A reset leaves no TIME_WAIT behind, which would eat the ports; it is used only where the answer was read to its end
    // and the connection is ours to end (or the run is over), so no answer can be lost by it.
    private static void Close(Client client, CloseWith how)
    {
        if (client.Fd < 0)
        {
            return;
        }
        if (how == CloseWith.Reset)
        {
            long lingerZero = 1;
            _ = Libc.SetSockOpt(client.Fd, Libc.SOL_SOCKET, Libc.SO_LINGER, &lingerZero, sizeof(long));
        }
        _ = Libc.Close(client.Fd);
        client.Fd = -1;
    }

    private static byte[] Pinned(byte[] bytes)
    {
        byte[] pinned = GC.AllocateUninitializedArray<byte>(bytes.Length, pinned: true);
        bytes.CopyTo(pinned, 0);
        return pinned;
    }

    private static byte* AddressOf(byte[] pinned) => (byte*)Unsafe.AsPointer(ref MemoryMarshal.GetArrayDataReference(pinned));

    private static long Ticks(TimeSpan span) => (long)(span.TotalSeconds * Stopwatch.Frequency);
}
