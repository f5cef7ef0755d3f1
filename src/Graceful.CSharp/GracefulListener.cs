using System.Net;
using System.Net.Sockets;
using Graceful.Core;
using Graceful.Engine;
using Graceful.Sockets;
using Microsoft.Extensions.Logging.Abstractions;

namespace Graceful;

/// <summary>
/// Accepts connections of a protocol of yours and lets the server leave without breaking any: on the way out whoever is marked in use is
/// waited for, and whoever is idle is closed.
/// </summary>
/// <remarks>
/// <para>
/// Any number of listeners join the way out of one server, beside Kestrel's: its drain, quiet period, grace period, report and telemetry
/// cover them. What keeps newcomers out, the time that handshakes get and the clock are those of its <see cref="GracefulOptions"/>.
/// </para>
/// <para>
/// Go on accepting until <see cref="AcceptAsync"/> gives null: who was connected when the way out began comes out of it as well. All
/// members are for any thread at any time.
/// </para>
/// </remarks>
public sealed class GracefulListener : IDisposable, IAsyncDisposable
{
    private readonly LifecycleEngine _engine;
    private readonly IRawIntake _intake;
    private readonly TlsDoor? _tls;
    private readonly Roster _roster = new();
    private readonly Lock _leaving = new();
    private readonly bool _isAlone;
    private Task? _drain;
    private bool _isDisposed;

    /// <summary>Takes a listening socket over. It is closed with the listener, unless it is shared.</summary>
    /// <param name="socket">A stream socket, TCP or Unix, after its Bind and its Listen.</param>
    /// <param name="mode">What counts as work.</param>
    /// <param name="graceful">
    /// The way out that it joins; null for one of its own, which has the defaults of <see cref="GracefulOptions"/>, knows no signals and ends nobody else. For
    /// a quiet period, an intake, a settle time or a clock of its own give it a <see cref="GracefulLifecycle"/>.
    /// </param>
    /// <param name="options">Options; null for the defaults. What is changed in them later has no effect.</param>
    /// <exception cref="ArgumentNullException">The socket is null.</exception>
    /// <exception cref="ArgumentException">The socket does not listen, an option is out of its bounds, or <paramref name="graceful"/> is not ours.</exception>
    /// <exception cref="ArgumentOutOfRangeException">There is no such mode.</exception>
    /// <exception cref="InvalidOperationException">The way out has closed its listeners already.</exception>
    public GracefulListener(Socket socket, ConnectionMode mode, IGraceful? graceful = null, GracefulListenerOptions? options = null)
        : this(SourceOf(socket, options), mode, graceful, options)
    {
    }

    /// <summary>
    /// Serves one connection that was accepted before: the first <see cref="AcceptAsync"/> gives it, the second waits until it is closed
    /// and gives null, and the server leaves by itself then, whoever accepts or not.
    /// </summary>
    /// <param name="connection">The connection. It is let in at once, and reset with the listener as long as nobody has asked for it.</param>
    /// <param name="mode">What counts as work.</param>
    /// <param name="graceful">The way out that it joins and begins; null for one of its own, which knows no signals and ends nobody else.</param>
    /// <param name="options">Options; null for the defaults. What is changed in them later has no effect.</param>
    /// <exception cref="ArgumentNullException">The connection is null.</exception>
    /// <exception cref="ArgumentException">An option is out of its bounds or makes no sense here, or <paramref name="graceful"/> is not ours.</exception>
    /// <exception cref="ArgumentOutOfRangeException">There is no such mode.</exception>
    /// <exception cref="InvalidOperationException">The connection is served already, or the way out has closed its listeners already.</exception>
    public GracefulListener(AcceptedConnection connection, ConnectionMode mode, IGraceful? graceful = null, GracefulListenerOptions? options = null)
        : this(SourceOf(connection, options), mode, graceful, options)
    {
        if (!((AcceptedIntake)_intake).TryBegin())
        {
            Forget();
            throw new InvalidOperationException("The connection is served already; allowed is one that nobody has served yet.");
        }
    }

    private GracefulListener(Func<RawEntrance, IRawIntake> source, ConnectionMode mode, IGraceful? graceful, GracefulListenerOptions? options)
    {
        if (!Enum.IsDefined(mode))
        {
            throw new ArgumentOutOfRangeException(
                nameof(mode), mode, $"There is no mode {mode}; allowed is {string.Join(", ", Enum.GetNames<ConnectionMode>())}.");
        }

        options ??= new GracefulListenerOptions();
        options.Check(nameof(options));
        _isAlone = graceful is null;
        _engine = EngineOf(graceful);
        Mode = mode;
        _intake = source(new RawEntrance(_engine, _roster, ModeOf(mode), options.TcpKeepAlive));
        if (options.Tls is { } tls)
        {
            _tls = new TlsDoor(_intake, tls, options.HandshakeLimit, _engine.Options.TimeProvider);
        }

        if (!_engine.Intakes.TryAdd(_intake))
        {
            throw new InvalidOperationException("The server leaves and has closed its listeners already; nobody would close this one.");
        }
    }

    /// <summary>What counts as work.</summary>
    public ConnectionMode Mode { get; }

    /// <summary>Where it listens, also when it is closed.</summary>
    public EndPoint LocalEndPoint => _intake.EndPoint;

    /// <summary>
    /// Whether somebody else holds the same socket: see <see cref="GracefulListenerOptions.IsShared"/>. <see cref="Clone"/> and
    /// <see cref="GetHandle"/> make it so; whoever knows that nobody uses the other descriptor any more sets it back.
    /// </summary>
    /// <exception cref="InvalidOperationException">It was set, and it is an <see cref="AcceptedConnection"/> that is served.</exception>
    public bool IsShared
    {
        get => _intake.IsShared;
        set => _intake.IsShared = value;
    }

    /// <summary>How many connections are in which phase: a snapshot that nobody is stopped for. Disowned ones are not counted.</summary>
    public IReadOnlyDictionary<ConnectionPhase, int> Connections => PhaseCounts.Of(_roster.Table.All);

    internal IRawIntake Intake => _intake;

    /// <summary>The next connection. Several callers at once each get another one.</summary>
    /// <param name="cancellationToken">Gives up waiting; nobody is lost by that.</param>
    /// <returns>
    /// The connection; it is the caller's to dispose. Null when there are no more, because listener or server have been closed: the way
    /// out never throws. A connection that went while it waited, and a process without descriptors, don't end it.
    /// </returns>
    /// <exception cref="OperationCanceledException">The token fired.</exception>
    public ValueTask<GracefulConnection?> AcceptAsync(CancellationToken cancellationToken = default) =>
        _tls is null ? _intake.AcceptAsync(cancellationToken) : _tls.AcceptAsync(cancellationToken);

    /// <summary>
    /// Closes connections that nobody works on, and goes on serving: those that are idle, and new ones that have not been marked yet. One
    /// that is marked in use at this very moment is not hit, nor is one with bytes that nobody has read yet.
    /// </summary>
    /// <returns>How many were closed.</returns>
    public int CloseIdle() => CloseIdle(TimeSpan.Zero);

    /// <inheritdoc cref="CloseIdle()"/>
    /// <param name="silentFor">Only those which nothing has come from or gone to for so long; zero for all, the default.</param>
    /// <exception cref="ArgumentOutOfRangeException">The duration is less than zero.</exception>
    public int CloseIdle(TimeSpan silentFor)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(silentFor, TimeSpan.Zero);
        var closed = 0;
        foreach (var (connection, _) in _roster.Table)
        {
            closed += connection.TryShed(silentFor) ? 1 : 0;
        }

        return closed;
    }

    /// <summary>
    /// Accepts nobody any more, and nothing else: connections stay as they are. Who is connected already, and waits in the queue of a
    /// socket that is not shared, still comes out of <see cref="AcceptAsync"/>. Returns at once.
    /// </summary>
    public void Close() => _ = CloseAsync();

    /// <inheritdoc cref="Close"/>
    /// <returns>Completes when the queue is empty and the socket closed; in a few seconds at most.</returns>
    public Task CloseAsync() => _intake.StopAsync(successorHasIt: false);

    /// <summary>
    /// Closes the listener, closes idle connections as soon as they have been quiet for the server's quiet period, and waits for the
    /// others; each is closed when it is marked idle. The server itself does not leave. There is no way back.
    /// </summary>
    /// <param name="cancellationToken">Gives up waiting; the drain goes on.</param>
    /// <returns>Completes when the last connection has left or was disowned.</returns>
    /// <exception cref="OperationCanceledException">The token fired.</exception>
    public Task DrainAsync(CancellationToken cancellationToken = default)
    {
        lock (_leaving)
        {
            _drain ??= Task.Run(RunDrainAsync, CancellationToken.None);
        }

        return _roster.Empty.WaitAsync(cancellationToken);
    }

    /// <summary>
    /// Closes the listener and all its connections: idle ones in order, and a tenth of a second later whoever is still there, with a reset.
    /// Disowned ones are not touched. It cuts a <see cref="DrainAsync"/> short that is under way.
    /// </summary>
    /// <param name="cancellationToken">Gives up waiting.</param>
    /// <returns>Completes when all have left.</returns>
    /// <exception cref="OperationCanceledException">The token fired.</exception>
    public async Task DrainAllAsync(CancellationToken cancellationToken = default)
    {
        await CloseAsync().WaitAsync(cancellationToken).ConfigureAwait(false);
        _roster.Step(GateEvent.Shut);
        _roster.ApplyToAll(ConnectionEvent.Reap);

        // A farewell and its answer take their time.
        await Task.WhenAny(_roster.Empty, Task.Delay(ConnectionModule.closeTime, _engine.Options.TimeProvider, cancellationToken)).ConfigureAwait(false);
        _roster.ApplyToAll(ConnectionEvent.Abort);
        await _roster.Empty.WaitAsync(cancellationToken).ConfigureAwait(false);
    }

    /// <summary>
    /// A second descriptor of the same listening socket, which processes that are started do not get. From now on the socket is shared:
    /// see <see cref="IsShared"/>.
    /// </summary>
    /// <returns>The socket; it is the caller's.</returns>
    /// <exception cref="ObjectDisposedException">The listener is closed.</exception>
    /// <exception cref="InvalidOperationException">It is an <see cref="AcceptedConnection"/> that is served.</exception>
    /// <exception cref="SocketException">The process has no descriptor left.</exception>
    /// <exception cref="PlatformNotSupportedException">On Windows.</exception>
    public Socket Clone() => new(_intake.Duplicate(forChildren: false));

    /// <summary>
    /// A second descriptor of the same listening socket for a child: it is not closed on exec, so every process that is started while it
    /// is open gets it under the same number. Dispose it when the child has started. From now on the socket is shared: see
    /// <see cref="IsShared"/>.
    /// </summary>
    /// <returns>The descriptor; its number is that of <c>DangerousGetHandle()</c>.</returns>
    /// <inheritdoc cref="Clone" path="/exception"/>
    public SafeSocketHandle GetHandle() => _intake.Duplicate(forChildren: true);

    /// <summary>
    /// Closes the listener at once: who waits in the queue of a socket that is not shared is reset, as is an <see cref="AcceptedConnection"/>
    /// that nobody has asked for. Connections that
    /// <see cref="AcceptAsync"/> gave stay as they are, and their server waits for them.
    /// </summary>
    public void Dispose() => DisposeAsync().AsTask().GetAwaiter().GetResult();

    /// <inheritdoc cref="Dispose"/>
    /// <returns>Completes when the socket is closed.</returns>
    public async ValueTask DisposeAsync()
    {
        lock (_leaving)
        {
            if (_isDisposed)
            {
                return;
            }

            _isDisposed = true;
        }

        await _intake.CutAsync().ConfigureAwait(false);
        _intake.Dispose();
        Forget();
    }

    /// <summary>As <see cref="GracefulConnection.MarkInUse"/>, for a stream that one was given.</summary>
    /// <param name="connection">A <see cref="GracefulConnection"/>, or a <see cref="BufferedStream"/> around one.</param>
    /// <returns>False when the server has closed it already, and nobody would wait for the work.</returns>
    /// <exception cref="ArgumentNullException">The stream is null.</exception>
    /// <exception cref="ArgumentException">It is another stream.</exception>
    /// <exception cref="ObjectDisposedException">It was disposed.</exception>
    public static bool MarkInUse(Stream connection) => Ours(connection).MarkInUse();

    /// <summary>As <see cref="GracefulConnection.MarkIdle"/>, for a stream that one was given.</summary>
    /// <inheritdoc cref="MarkInUse" path="/param"/>
    /// <inheritdoc cref="MarkInUse" path="/exception"/>
    public static void MarkIdle(Stream connection) => Ours(connection).MarkIdle();

    /// <summary>As <see cref="GracefulConnection.Disown"/>, for a stream that one was given.</summary>
    /// <inheritdoc cref="MarkInUse" path="/param"/>
    /// <inheritdoc cref="MarkInUse" path="/exception"/>
    /// <exception cref="InvalidOperationException">It was disowned before, or the server has closed it.</exception>
    public static void Disown(Stream connection) => Ours(connection).Disown();

    private static GracefulConnection Ours(Stream connection)
    {
        ArgumentNullException.ThrowIfNull(connection);
        var inner = connection;
        while (inner is BufferedStream buffered)
        {
            inner = buffered.UnderlyingStream;
        }

        return inner as GracefulConnection ?? throw new ArgumentException(
            $"The stream is a {inner.GetType().Name}; allowed is the {nameof(GracefulConnection)} that {nameof(AcceptAsync)} gave.", nameof(connection));
    }

    private static Mode ModeOf(ConnectionMode mode) => mode switch
    {
        ConnectionMode.Manual => Core.Mode.Manual,
        ConnectionMode.Automatic => Core.Mode.Automatic,
        _ => Core.Mode.Deadline,
    };

    private static LifecycleEngine EngineOf(IGraceful? graceful)
    {
        if (graceful is null)
        {
            var options = new GracefulOptions { OwnsProcess = false, NotifyServiceManager = false };
            options.Signals.Clear();
            var engine = new LifecycleEngine(options, NullLogger.Instance);
            engine.StartedUp();
            return engine;
        }

        return EngineOwner.EngineOf(graceful);
    }

    private static Func<RawEntrance, IRawIntake> SourceOf(Socket socket, GracefulListenerOptions? options)
    {
        ListeningSocket.Check(socket, nameof(socket));
        return entrance => new RawIntake(socket, entrance, options is { IsShared: true });
    }

    private static Func<RawEntrance, IRawIntake> SourceOf(AcceptedConnection connection, GracefulListenerOptions? options)
    {
        ArgumentNullException.ThrowIfNull(connection);
        return options is { IsShared: true }
            ? throw new ArgumentException($"{nameof(options.IsShared)} is true; allowed is false for a connection that was accepted before: nothing listens.", nameof(options))
            : entrance => new AcceptedIntake(connection, entrance);
    }

    private void Forget()
    {
        _tls?.Dispose();
        _engine.Intakes.Remove(_intake);
        if (_isAlone)
        {
            _engine.Dispose();
        }
    }

    private async Task RunDrainAsync()
    {
        await CloseAsync().ConfigureAwait(false);
        _roster.Step(GateEvent.Drain);
        _roster.ApplyToAll(ConnectionEvent.Retire);
        var quietPeriod = _engine.Options.QuietPeriod;
        while (!_roster.Empty.IsCompleted)
        {
            var again = quietPeriod;
            foreach (var (connection, _) in _roster.Table)
            {
                var wait = connection.Sweep(quietPeriod);
                again = wait < again ? wait : again;
            }

            var next = ConnectionModule.nextSweepIn(again);
            await Task.WhenAny(_roster.Empty, Task.Delay(next, _engine.Options.TimeProvider)).ConfigureAwait(false);
        }
    }
}
