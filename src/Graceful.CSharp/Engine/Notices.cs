using Graceful.Core;

namespace Graceful.Engine;

/// <summary>
/// During a lame duck those who stay long on one connection are told one after the other. The core says when; here it is waited for.
/// Nobody comes by here before the way out, and with a notice that is put off only once.
/// </summary>
internal sealed class Notices : IDisposable
{
    private readonly Lock _gate = new();
    private readonly PriorityQueue<TrackedConnection, long> _waiting = new();
    private readonly EngineClock _clock;
    private readonly ITimer _timer;
    private readonly ulong _seed;
    private long _ordinal;
    private long _until;
    private long _rings = long.MaxValue;

    /// <param name="time">The user's clock.</param>
    /// <param name="clock">The same, as the core reads it.</param>
    /// <param name="seed">Where the first one stands, see the core's <c>Spread</c>.</param>
    public Notices(TimeProvider time, EngineClock clock, ulong seed)
    {
        _clock = clock;
        _seed = seed;
        _timer = time.CreateTimer(
            static notices => ((Notices)notices!).Ring(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    /// <summary>From now on notices are spread, up to a moment. Call before anybody is to be told.</summary>
    public void Spread(Instant until)
    {
        lock (_gate)
        {
            _until = until.ticks;
        }
    }

    /// <summary>No notice is put off any more: whoever waits for his moment is told now.</summary>
    public void End()
    {
        lock (_gate)
        {
            _until = 0;
        }

        Tell(long.MaxValue);
    }

    /// <summary>
    /// Whether a connection that is to be told may be told now. If not, it is told when its moment comes, if there is
    /// something then to tell it with, and by its next request otherwise.
    /// </summary>
    public bool IsDue(TrackedConnection connection)
    {
        if (connection.IsNoticePutOff)
        {
            return false;
        }

        lock (_gate)
        {
            var now = _clock.Now;
            if (now.ticks >= _until || connection.IsNoticePutOff)
            {
                return !connection.IsNoticePutOff;
            }

            if (connection.NoticeDue == 0)
            {
                connection.NoticeDue = now.ticks
                    + Core.Spread.after(_seed, _ordinal++, TimeSpan.FromTicks(_until - now.ticks)).Ticks;
            }

            if (connection.NoticeDue <= now.ticks)
            {
                return true;
            }

            connection.IsNoticePutOff = true;
            _waiting.Enqueue(connection, connection.NoticeDue);
            RingAt(connection.NoticeDue, now);
            return false;
        }
    }

    public void Dispose() => _timer.Dispose();

    private void Ring()
    {
        lock (_gate)
        {
            _rings = long.MaxValue;
        }

        Tell(_clock.Now.ticks);
    }

    private void Tell(long upTo)
    {
        List<TrackedConnection>? due = null;
        lock (_gate)
        {
            while (_waiting.TryPeek(out var connection, out var at) && at <= upTo)
            {
                _waiting.Dequeue();
                connection.IsNoticePutOff = false;
                (due ??= []).Add(connection);
            }

            if (_waiting.TryPeek(out _, out var next))
            {
                RingAt(next, _clock.Now);
            }
        }

        // Said before the words are read, and a request that begins steps its word before it looks at that: so one of both tells.
        Interlocked.MemoryBarrier();
        due?.ForEach(static connection => connection.TellIfAwaited());
    }

    private void RingAt(long due, Instant now)
    {
        if (due < _rings)
        {
            _rings = due;
            _timer.Change(EngineClock.Wait(Instant.NewInstant(due), now), Timeout.InfiniteTimeSpan);
        }
    }
}
