using System.Net.Sockets;
using Graceful.Core;
using Graceful.Engine;
using Graceful.Sockets;

namespace Graceful.Tracking;

/// <summary>A connection of a server that is not ours: what becomes of it, its owner says and does.</summary>
internal sealed class ForeignConnection<TConnection>(
    LifecycleEngine engine, ConnectionTrackerOptions<TConnection> options, TConnection connection, Socket? socket, string id)
    : TrackedConnection(engine, id)
    where TConnection : class
{
    private const int Coming = 0;
    private const int Inside = 1;
    private const int Left = 2;

    private int _place = Coming;
    private int _isClosed;

    /// <summary>Whether it is still open, as far as the server's side is concerned.</summary>
    public bool IsOpen => !ConnectionModule.phase(Now).IsClosed;

    /// <summary>Enters, unless the gate is shut.</summary>
    /// <returns>False, too, when somebody says meanwhile that it is gone.</returns>
    public bool ComeIn()
    {
        if (!TryEnter())
        {
            return false;
        }

        if (Interlocked.CompareExchange(ref _place, Inside, Coming) == Coming)
        {
            return true;
        }

        // Its end was said before it was inside.
        Apply(ConnectionEvent.Ended);
        return false;
    }

    /// <summary>It is gone. Called once.</summary>
    /// <returns>False when it was not inside yet: whoever lets it in sees to the rest.</returns>
    public bool TryLeave()
    {
        if (Interlocked.CompareExchange(ref _place, Left, Coming) == Coming)
        {
            return false;
        }

        FinishHeld();
        Apply(ConnectionEvent.Ended);
        return true;
    }

    protected override bool HasRequests => false;

    protected override TimeSpan QuietFor(out bool pending)
    {
        var sinceEdge = base.QuietFor(out pending);
        return socket is null ? sinceEdge : SocketSilence.Of(socket, sinceEdge, out pending);
    }

    protected override void AskToClose()
    {
        if (options.Ask is { } ask)
        {
            // On the pool whoever orders it: it may be said on the way in, too, when the caller has more to do.
            ThreadPool.UnsafeQueueUserWorkItem(
                static one => one.Self.Engine.End(one.Self, _ =>
                {
                    one.Ask(one.Self.Connection);
                    one.Self.Told();
                }),
                (Self: this, Ask: ask),
                preferLocal: false);
        }
    }

    protected override void Close() => Engine.End(this, static one => ((ForeignConnection<TConnection>)one).CloseOnce());

    protected override void Hasten()
    {
        // There is no more that its owner could do than to close it.
    }

    protected override void Reset() => Engine.End(this, static one => ((ForeignConnection<TConnection>)one).ResetOnce());

    private TConnection Connection => connection;

    private void CloseOnce()
    {
        if (Interlocked.Exchange(ref _isClosed, 1) == 0 && !ConnectionModule.isGone(Now))
        {
            options.Close(connection);
        }
    }

    private void ResetOnce()
    {
        if (options.Abort is not { } abort)
        {
            CloseOnce();
        }
        else if (!ConnectionModule.isGone(Now))
        {
            abort(connection);
        }
    }
}
