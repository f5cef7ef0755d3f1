using System.Collections.Concurrent;
using System.Globalization;
using Graceful.Core;
using Graceful.Engine;
using Graceful.Reporting;
using Graceful.Tracking;

namespace Graceful;

/// <summary>
/// Joins a server that is not ours to a way out: the server says what its connections do, and is told which to close and when to stop
/// accepting. Hooks, signals, time-outs, report and exit code come along from the <see cref="IGraceful"/>.
/// </summary>
/// <typeparam name="TConnection">The server's own type of a connection; one object is one connection, whatever it says it equals.</typeparam>
/// <remarks>
/// <para>
/// On the way out an idle connection, or one that never did anything, is closed when nothing was said of it for the
/// <see cref="GracefulOptions.QuietPeriod"/>; an active one is waited for, and closed when it becomes idle; a hijacked one is waited for until it
/// is closed. When the <see cref="GracefulOptions.GracePeriod"/> is over, what is left is aborted.
/// </para>
/// <para>
/// What is said are levels, not counts: active twice is active. All members may be used from any thread, those about one
/// connection as well. What can't be (a connection that is closed twice, opened twice, or not known) changes nothing, and is logged as a warning,
/// once for each kind of mistake.
/// </para>
/// </remarks>
public sealed class ConnectionTracker<TConnection> : IDisposable
    where TConnection : class
{
    private readonly ConcurrentDictionary<TConnection, ForeignConnection<TConnection>> _open = new(ReferenceEqualityComparer.Instance);
    private readonly TaskCompletionSource _drained = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly GateCell _gate = new();
    private readonly LifecycleEngine _engine;
    private readonly ConnectionTrackerOptions<TConnection> _options;
    private readonly ForeignIntake _intake;
    private long _lastNumber;
    private int _misuses;

    /// <summary>A tracker that takes part in a way out from now on; where that is under way already, the server is told to stop accepting.</summary>
    /// <param name="graceful">Whose way out: the service <see cref="IGraceful"/> of a host with <c>AddGraceful</c>, or a <see cref="GracefulLifecycle"/>.</param>
    /// <param name="options">What the tracker asks of the server.</param>
    /// <exception cref="ArgumentNullException">An argument is null.</exception>
    /// <exception cref="ArgumentException">The <see cref="IGraceful"/> is an implementation of somebody else's, or options are invalid.</exception>
    public ConnectionTracker(IGraceful graceful, ConnectionTrackerOptions<TConnection> options)
    {
        ArgumentNullException.ThrowIfNull(graceful);
        ArgumentNullException.ThrowIfNull(options);
        if (options.Errors().ToArray() is { Length: > 0 } errors)
        {
            throw new ArgumentException(string.Join(" ", errors), nameof(options));
        }

        _engine = EngineOwner.EngineOf(graceful);
        _options = options;
        _intake = new ForeignIntake(_engine, options.Name, options.StopAccepting, () => Step(GateEvent.Drain))
        {
            Pause = options.PauseAccepting,
            GoOn = options.ResumeAccepting,
            ListeningSocket = options.ListeningSocket,
        };
        if (!_engine.Intakes.TryAdd(_intake))
        {
            // The others were told before.
            _ = _intake.StopAsync(successorHasIt: false);
        }
    }

    /// <summary>
    /// Completes when the server has stopped accepting on the way out, or the tracker was disposed, and the last connection is
    /// <see cref="Closed"/>: aborted ones as well, so perhaps after <see cref="IGraceful.Completion"/>. It does not fault.
    /// </summary>
    public Task Drained => _drained.Task;

    /// <summary>How many connections are open: opened, not refused, and not <see cref="Closed"/>. A moment out of date, perhaps.</summary>
    public int Count => _open.Count;

    /// <summary>
    /// How many of them are in which phase; every phase is there. Closed are those that the tracker closed, and of which the server has not said that they
    /// are gone. A walk that nobody is stopped for: a snapshot.
    /// </summary>
    public IReadOnlyDictionary<ConnectionPhase, int> Connections => PhaseCounts.Of(_open.Select(static one => one.Value));

    /// <summary>A connection was accepted; it is <see cref="ConnectionPhase.New"/>.</summary>
    /// <param name="connection">The connection.</param>
    /// <returns>
    /// False when nobody is let in any more: refuse it, and say nothing more of it. True for one that is open already, which is a mistake.
    /// </returns>
    /// <exception cref="ArgumentNullException">The connection is null.</exception>
    public bool Opened(TConnection connection)
    {
        ArgumentNullException.ThrowIfNull(connection);
        var one = new ForeignConnection<TConnection>(
            _engine, _options, connection, Ask(_options.SocketOf, connection, Misuse.SocketOfFailed, nameof(_options.SocketOf)), IdOf(connection));
        if (!_open.TryAdd(connection, one))
        {
            Warn(Misuse.OpenedTwice, nameof(Opened), "is open already");
            return true;
        }

        if (_gate.Step(GateEvent.Enter) == GateEffect.Tags.Refuse)
        {
            _engine.Figures.Refused();
        }
        else if (one.ComeIn())
        {
            _intake.CameIn();
            return true;
        }
        else
        {
            Step(GateEvent.Leave);
        }

        _open.TryRemove(new(connection, one));
        return false;
    }

    /// <summary>A request began on it, or whatever else is work.</summary>
    /// <param name="connection">The connection.</param>
    /// <returns>False when it was closed or aborted meanwhile, or is not open: what was read can't be answered.</returns>
    /// <exception cref="ArgumentNullException">The connection is null.</exception>
    public bool Active(TConnection connection) =>
        Mark(connection, static one => one.MarkInUse(), nameof(Active), Misuse.ActiveNotOpen, Misuse.ActiveHijacked);

    /// <summary>
    /// Nobody works on it any more; it may be used again. While the server leaves it is closed now, so whoever has read ahead says it only when all
    /// that was read is answered.
    /// </summary>
    /// <param name="connection">The connection.</param>
    /// <returns>False when it is to end: it is closed now, because the server leaves, or was before, or is not open.</returns>
    /// <exception cref="ArgumentNullException">The connection is null.</exception>
    public bool Idle(TConnection connection) =>
        Mark(connection, static one => one.MarkIdle(), nameof(Idle), Misuse.IdleNotOpen, Misuse.IdleHijacked);

    /// <summary>
    /// It speaks another protocol from now on, or belongs to other code, and is waited for until it is <see cref="Closed"/>. Who gives it away for
    /// good, so that nobody waits for it, says <see cref="Closed"/> instead.
    /// </summary>
    /// <param name="connection">The connection.</param>
    /// <returns>False when it was closed or aborted meanwhile, or is not open.</returns>
    /// <exception cref="ArgumentNullException">The connection is null.</exception>
    public bool Hijacked(TConnection connection) =>
        Mark(connection, static one => one.Apply(ConnectionEvent.Hijack), nameof(Hijacked), Misuse.HijackedNotOpen, Misuse.HijackedTwice);

    /// <summary>It is gone, whoever ended it. The last that is said of it; the same object may be opened again.</summary>
    /// <param name="connection">The connection.</param>
    /// <exception cref="ArgumentNullException">The connection is null.</exception>
    public void Closed(TConnection connection)
    {
        ArgumentNullException.ThrowIfNull(connection);
        if (!_open.TryRemove(connection, out var one))
        {
            WarnNotOpen(Misuse.ClosedNotOpen, nameof(Closed));
        }
        else if (one.TryLeave())
        {
            Step(GateEvent.Leave);
        }
    }

    /// <summary>All of these in one, for a server with one callback for the states of its connections.</summary>
    /// <param name="connection">The connection.</param>
    /// <param name="phase">What it is now: new stands for <see cref="Opened"/>, and so on.</param>
    /// <returns>What the method returns that it stands for; false for closed.</returns>
    /// <exception cref="ArgumentNullException">The connection is null.</exception>
    /// <exception cref="ArgumentOutOfRangeException">The phase is none.</exception>
    public bool Changed(TConnection connection, ConnectionPhase phase)
    {
        switch (phase)
        {
            case ConnectionPhase.New:
                return Opened(connection);
            case ConnectionPhase.Active:
                return Active(connection);
            case ConnectionPhase.Idle:
                return Idle(connection);
            case ConnectionPhase.Hijacked:
                return Hijacked(connection);
            case ConnectionPhase.Closed:
                Closed(connection);
                return false;
            default:
                throw new ArgumentOutOfRangeException(
                    nameof(phase), phase, $"The phase is {phase}; allowed is one of {string.Join(", ", Enum.GetNames<ConnectionPhase>())}.");
        }
    }

    /// <summary>
    /// For a server that has ended by itself and accepts nobody any more: it will not be told to stop. Connections that are open stay tracked until
    /// they are <see cref="Closed"/>; with the last one <see cref="Drained"/> completes. More than once is harmless.
    /// </summary>
    public void Dispose()
    {
        _engine.Intakes.Remove(_intake);
        Step(GateEvent.Drain);
    }

    private bool Mark(
        TConnection connection, Action<ForeignConnection<TConnection>> edge, string member, Misuse notOpen, Misuse hijacked)
    {
        ArgumentNullException.ThrowIfNull(connection);
        if (!_open.TryGetValue(connection, out var one))
        {
            WarnNotOpen(notOpen, member);
            return false;
        }

        if (one.Phase == ConnectionPhase.Hijacked)
        {
            Warn(hijacked, member, "is hijacked");
            return true;
        }

        edge(one);
        return one.IsOpen;
    }

    private void Step(GateEvent happened)
    {
        if (_gate.Step(happened) == GateEffect.Tags.Emptied)
        {
            _drained.TrySetResult();
        }
    }

    private string IdOf(TConnection connection) => Ask(_options.IdOf, connection, Misuse.IdOfFailed, nameof(_options.IdOf))
        ?? string.Create(CultureInfo.InvariantCulture, $"{_options.Name}-{Interlocked.Increment(ref _lastNumber)}");

    private T? Ask<T>(Func<TConnection, T?>? callback, TConnection connection, Misuse kind, string name)
        where T : class
    {
        try
        {
            return callback?.Invoke(connection);
        }
#pragma warning disable CA1031 // A connection of which nothing more is known is tracked all the same.
        catch (Exception e)
#pragma warning restore CA1031
        {
            if (IsFirst(kind))
            {
                _engine.Say(log => Log.TrackerCallbackFailed(log, e, _options.Name, name));
            }

            return null;
        }
    }

    private void WarnNotOpen(Misuse kind, string member) => Warn(kind, member, "is not open: it was never opened, was refused, or is closed already");

    private void Warn(Misuse kind, string member, string state)
    {
        if (IsFirst(kind))
        {
            _engine.Say(log => Log.TrackerMisused(log, _options.Name, member, state));
        }
    }

    private bool IsFirst(Misuse kind) => (Interlocked.Or(ref _misuses, (int)kind) & (int)kind) == 0;
}
