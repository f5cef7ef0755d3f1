using System.Net;
using System.Net.Sockets;
using Graceful.Core;
using Graceful.Engine;

namespace Graceful.Sockets;

/// <summary>A connection of a <see cref="GracefulListener"/>: how it is marked, closed and reset.</summary>
internal sealed class RawConnection : TrackedConnection
{
    /// <summary>How long we look after bytes that do not arrive; then the kernel does alone.</summary>
    private static readonly TimeSpan LingerLimit = TimeSpan.FromSeconds(10);

    private static readonly TimeSpan LongestPause = TimeSpan.FromMilliseconds(50);

    /// <summary>How much of what nobody will read is taken off the socket, so that its close is an end and no reset.</summary>
    private const int MostDiscarded = 1 << 20;

    private static long _count;

    private readonly Roster _roster;
    private int _isEnding;
    private int _isOver;
    private bool _wasReset;

    public RawConnection(LifecycleEngine engine, Roster roster, Socket socket, EndPoint? remote)
        : base(engine, $"raw-{Interlocked.Increment(ref _count)}")
    {
        _roster = roster;
        Socket = socket;
        Remote = remote;
        IsSilenceKnown = TcpInfo.IsToldOf(socket);
    }

    public Socket Socket { get; }

    public EndPoint? Remote { get; }

    /// <summary>Says goodbye in the protocol below the user's, TLS, when there is one.</summary>
    public Func<Task>? Farewell { get; set; }

    /// <summary>Hears once that its socket is closed, by whomever; also when it was disowned.</summary>
    public Action? Closed { get; init; }

    /// <summary>Whether bytes that come are worked on.</summary>
    public bool IsHeard => ConnectionModule.isHeard(Now);

    public bool WasReset => Volatile.Read(ref _wasReset);

    /// <summary>Where it is in the listener's own roster; <see cref="Roster"/>'s own.</summary>
    public int Place;

    /// <returns>False when it was closed before.</returns>
    public bool TryDisown() => Apply(ConnectionEvent.Disown) == ConnectionEffect.Tags.LeaveGate;

    /// <returns>Whether it was closed.</returns>
    public bool TryShed(TimeSpan least)
    {
        var quietFor = QuietFor(out _);
        return ConnectionModule.mayShed(least, quietFor, SocketSilence.HasUnreadBytes(Socket), Now)
            && Apply(ConnectionEvent.Shed) == ConnectionEffect.Tags.Close;
    }

    /// <summary>Its user has ended it. What we have begun to end we end.</summary>
    public void EndedByUser()
    {
        if (Interlocked.Exchange(ref _isEnding, 1) == 0)
        {
            FinishHeld();
            Over();
        }
    }

    protected override void AskToClose()
    {
        // Its protocol is the user's: nobody but him can tell the client.
    }

    protected override void Close()
    {
        if (Interlocked.Exchange(ref _isEnding, 1) == 0)
        {
            Engine.End(this, static connection => ((RawConnection)connection).EndInOrder());
        }
    }

    protected override void Hasten() => Engine.End(this, static connection => ((RawConnection)connection).Over());

    protected override void Reset()
    {
        Volatile.Write(ref _wasReset, true);
        Volatile.Write(ref _isEnding, 1);
        Engine.End(this, static connection => ((RawConnection)connection).Cut());
    }

    protected override void Leave()
    {
        base.Leave();
        _roster.Leave(this);
    }

    protected override TimeSpan QuietFor(out bool pending) => SocketSilence.Of(Socket, base.QuietFor(out _), out pending);

    protected override bool HasRequests => false;

    protected override string Name => $"from {(Remote?.ToString() is { Length: > 0 } remote ? remote : Id)}";

    /// <summary>What was written arrives first: to close a socket while bytes come in may take back those that are on their way out.</summary>
    private void EndInOrder()
    {
        if (Farewell is null && !SocketSilence.IsPending(Socket))
        {
            Over();
        }
        else
        {
            _ = LingerAsync();
        }
    }

    private async Task LingerAsync()
    {
        var end = Environment.TickCount64 + (long)LingerLimit.TotalMilliseconds;
        if (Farewell is { } farewell)
        {
            await farewell().ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        Socket.UnlessGone(static socket => socket.Shutdown(SocketShutdown.Send));
        for (var pause = TimeSpan.FromMilliseconds(1); SocketSilence.IsPending(Socket) && Environment.TickCount64 < end; pause *= 2)
        {
            await Task.Delay(pause < LongestPause ? pause : LongestPause).ConfigureAwait(false);
        }

        Over();
    }

    /// <summary>The end of the socket; nobody who still reads from it is left waiting.</summary>
    private void Over()
    {
        if (Interlocked.Exchange(ref _isOver, 1) == 0)
        {
            Socket.UnlessGone(static socket => socket.Shutdown(SocketShutdown.Both));
            Socket.UnlessGone(Discard);
            Dispose();
        }
    }

    private void Cut()
    {
        if (Interlocked.Exchange(ref _isOver, 1) == 0)
        {
            Socket.UnlessGone(static socket => socket.LingerState = new LingerOption(enable: true, seconds: 0));
            Dispose();
        }
    }

    private void Dispose()
    {
        Socket.Dispose();
        Apply(ConnectionEvent.Ended);
        Closed?.Invoke();
    }

    private static void Discard(Socket socket)
    {
        Span<byte> nowhere = stackalloc byte[4096];

        // Nobody waits here: the socket is shut down, so an empty one says that it is at its end.
        for (var discarded = 0; discarded < MostDiscarded && socket.Available > 0;)
        {
            var bytes = socket.Receive(nowhere);
            if (bytes == 0)
            {
                return;
            }

            discarded += bytes;
        }
    }
}
