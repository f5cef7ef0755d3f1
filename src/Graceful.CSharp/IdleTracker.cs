using System.Globalization;
using Graceful.Core;
using Graceful.Engine;

namespace Graceful;

/// <summary>
/// A lifetime that ends when nothing was busy for a limit: for whatever should live no longer than it is needed. It needs no server, and is told
/// by <see cref="Begin"/> or by the phases of connections what is busy. A server that should leave by itself has
/// <see cref="GracefulOptions.IdleLimit"/> instead, which also looks into the accept queues.
/// </summary>
/// <remarks>
/// It runs from the moment when it is made, also when nothing is ever busy, and it runs once: what begins after its end is heard by nobody. All
/// members may be called from any thread.
/// </remarks>
public sealed class IdleTracker : IDisposable
{
    private readonly Lock _deciding = new();
    private readonly HashSet<object> _connections = [];
    private readonly Dictionary<string, int> _balances = new(StringComparer.Ordinal);
#pragma warning disable CA2213 // Its token stays with whoever has it, and without a timer or a wait handle there is nothing to dispose.
    private readonly CancellationTokenSource _end = new();
#pragma warning restore CA2213
    private readonly CancellationTokenRegistration _parent;
    private readonly TimeSpan _limit;
    private readonly bool _hijackedIsBusy;
    private readonly TimeProvider _time;
    private readonly EngineClock _clock;
    private readonly ITimer _timer;
    private IdleLifetime _state;
    private bool _isDisposed;

    /// <summary>Makes one, which runs at once.</summary>
    /// <param name="limit">How long nothing may be busy before it ends; from one millisecond to 30 days.</param>
    /// <param name="timeProvider">Its clock; null for the system's.</param>
    /// <param name="hijackedIsBusy">
    /// Whether a connection that was hijacked stays busy until it is said to be closed; the default is true, as for
    /// <see cref="GracefulOptions.HijackedIsBusy"/>. If false, hijacked ones are as good as closed.
    /// </param>
    /// <param name="parent">Ends it before, if it fires. One that has fired ends it at once.</param>
    /// <exception cref="ArgumentOutOfRangeException">The limit is out of its bounds.</exception>
    public IdleTracker(TimeSpan limit, TimeProvider? timeProvider = null, bool hijackedIsBusy = true, CancellationToken parent = default)
    {
        if (!GracefulOptions.IsIdleLimit(limit))
        {
            throw new ArgumentOutOfRangeException(
                nameof(limit), limit, $"The idle limit is {limit}; allowed is {GracefulOptions.IdleLimits}.");
        }

        _limit = limit;
        _hijackedIsBusy = hijackedIsBusy;
        _time = timeProvider ?? TimeProvider.System;
        _clock = new EngineClock(_time);
        _state = IdleLifetimeModule.initial(limit, _clock.Now);
        _timer = _time.CreateTimer(
            static tracker => ((IdleTracker)tracker!).Apply(IdleLifetimeEvent.Woke), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        lock (_deciding)
        {
            SetTimer();
        }

        _parent = parent.UnsafeRegister(static tracker => ((IdleTracker)tracker!).Apply(IdleLifetimeEvent.ParentCancelled), this);
    }

    /// <summary>Fires when it is over, whatever ended it. What is registered with it runs on the thread pool.</summary>
    public CancellationToken Token => _end.Token;

    /// <summary>
    /// When it ends, if nothing becomes busy before; it moves each time the last one becomes quiet. After it has expired, when that was. Null
    /// as long as anything is busy, and when its parent ended it.
    /// </summary>
    public DateTimeOffset? Deadline => State switch
    {
        IdleLifetime.Quiet quiet => At(quiet.due),
        IdleLifetime.Expired expired => At(expired.at),
        _ => null,
    };

    /// <summary>What ended it. It is said before <see cref="Token"/> fires.</summary>
    public IdleReason Reason => State switch
    {
        IdleLifetime.Expired => IdleReason.Expired,
        { IsParentCancelled: true } => IdleReason.ParentCancelled,
        _ => IdleReason.None,
    };

    private IdleLifetime State
    {
        get
        {
            lock (_deciding)
            {
                return _state;
            }
        }
    }

    /// <summary>Something is busy from now on, until what is returned is disposed. After the end it changes nothing.</summary>
    /// <returns>Dispose it when the work is done; more than once is harmless.</returns>
    public IDisposable Begin()
    {
        Apply(IdleLifetimeEvent.BecameBusy);
        return new Work(this);
    }

    /// <summary>
    /// Says what a connection does: it is busy while it is new or active. What is repeated, late or unknown changes nothing, so that a
    /// connection may be closed twice, or never have been new.
    /// </summary>
    /// <param name="connection">The connection, or whatever stands for it: those that are equal are one.</param>
    /// <param name="phase">What it does from now on.</param>
    /// <exception cref="ArgumentNullException">The connection is null.</exception>
    /// <exception cref="ArgumentOutOfRangeException">There is no such phase.</exception>
    public void Track(object connection, ConnectionPhase phase)
    {
        ArgumentNullException.ThrowIfNull(connection);
        var isBusy = Use.isBusyPhase(_hijackedIsBusy, PhaseOf(phase));
        lock (_deciding)
        {
            if (_isDisposed || IdleLifetimeModule.isOver(_state))
            {
                return;
            }

            if (isBusy ? _connections.Add(connection) : _connections.Remove(connection))
            {
                Apply(isBusy ? IdleLifetimeEvent.BecameBusy : IdleLifetimeEvent.BecameQuiet);
            }
        }
    }

    /// <summary>
    /// Hears of connections in the form of a <see cref="ConnectionStateHandler"/>: <c>options.StateHandler = tracker.Track</c>. A connection is busy while it
    /// is active, or hijacked, see the constructor. A new one is not: nobody hears of it before it is active.
    /// </summary>
    /// <remarks>
    /// It counts edges, each once, and so may hear those of a connection in any order: one that is heard after its time makes nobody busy for ever, nor idle
    /// under a request. It must hear all of them, though, from the connection's first. A connection that it hears of in the other form as well is two.
    /// </remarks>
    /// <param name="connectionId">The connection's id.</param>
    /// <param name="from">The phase that it leaves.</param>
    /// <param name="to">The phase that it enters.</param>
    /// <exception cref="ArgumentNullException">The id is null.</exception>
    /// <exception cref="ArgumentOutOfRangeException">There is no such phase.</exception>
    public void Track(string connectionId, ConnectionPhase from, ConnectionPhase to)
    {
        ArgumentNullException.ThrowIfNull(connectionId);
        var edge = Use.edge(_hijackedIsBusy, PhaseOf(from), PhaseOf(to));
        lock (_deciding)
        {
            if (_isDisposed || IdleLifetimeModule.isOver(_state))
            {
                return;
            }

            var before = _balances.GetValueOrDefault(connectionId);
            var after = before + edge;
            if (after == 0)
            {
                // So it is in the end, in whatever order its edges come.
                _balances.Remove(connectionId);
            }
            else
            {
                _balances[connectionId] = after;
            }

            if (before > 0 != after > 0)
            {
                Apply(after > 0 ? IdleLifetimeEvent.BecameBusy : IdleLifetimeEvent.BecameQuiet);
            }
        }
    }

    /// <summary>What it waits for, or what ended it.</summary>
    /// <returns>One line for people.</returns>
    public override string ToString() => State switch
    {
        IdleLifetime.Busy busy => string.Create(CultureInfo.InvariantCulture, $"busy with {busy.many}, then idle for {_limit} at most"),
        IdleLifetime.Quiet quiet => string.Create(CultureInfo.InvariantCulture, $"idle, until {At(quiet.due):u} at most"),
        IdleLifetime.Expired expired => string.Create(CultureInfo.InvariantCulture, $"expired at {At(expired.at):u}, idle for {_limit}"),
        _ => "ended by its parent",
    };

    /// <summary>Forgets it: it does not end any more, and <see cref="Token"/> does not fire if it has not before.</summary>
    public void Dispose()
    {
        lock (_deciding)
        {
            _isDisposed = true;
            Forget();
        }

        _timer.Dispose();

        // Not waited for: whoever disposes may hold what a callback of the parent's wants.
        _ = _parent.Unregister();
    }

    private static Phase PhaseOf(ConnectionPhase phase) => phase switch
    {
        ConnectionPhase.New => Phase.New,
        ConnectionPhase.Active => Phase.Active,
        ConnectionPhase.Idle => Phase.Idle,
        ConnectionPhase.Hijacked => Phase.Hijacked,
        ConnectionPhase.Closed => Phase.Closed,
        _ => throw new ArgumentOutOfRangeException(
            nameof(phase), phase, $"The phase is {phase}; allowed are {string.Join(", ", Enum.GetNames<ConnectionPhase>())}."),
    };

    private void Apply(IdleLifetimeEvent happened)
    {
        bool isOver;
        lock (_deciding)
        {
            if (_isDisposed)
            {
                return;
            }

            _state = IdleLifetimeModule.step(_limit, _clock.Now, happened, _state);
            isOver = IdleLifetimeModule.isOver(_state);
            SetTimer();
            if (isOver)
            {
                Forget();
            }
        }

        if (isOver)
        {
            _ = _parent.Unregister();
            _ = _end.CancelAsync();
        }
    }

    /// <summary>Call while deciding.</summary>
    private void Forget()
    {
        _connections.Clear();
        _balances.Clear();
    }

    /// <summary>Call while deciding. A timer that comes too early is set again, and one that comes too late harms nobody.</summary>
    private void SetTimer()
    {
        var due = IdleLifetimeModule.nextDue(_state);
        var wait = due.IsSome ? EngineClock.Wait(due.Value, _clock.Now) : Timeout.InfiniteTimeSpan;
        _timer.Change(wait, Timeout.InfiniteTimeSpan);
    }

    private DateTimeOffset At(Instant moment) => _time.GetUtcNow() + TimeSpan.FromTicks(moment.ticks - _clock.Now.ticks);

    private sealed class Work(IdleTracker tracker) : IDisposable
    {
        private int _isDone;

        public void Dispose()
        {
            if (Interlocked.Exchange(ref _isDone, 1) == 0)
            {
                tracker.Apply(IdleLifetimeEvent.BecameQuiet);
            }
        }
    }
}
