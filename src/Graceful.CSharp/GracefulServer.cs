using System.Net.Sockets;
using System.Security.Cryptography;
using Graceful.Engine;
using Graceful.FastCgi;
using Graceful.Kestrel;
using Graceful.Posix;
using Graceful.Serving;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Https;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Graceful;

/// <summary>
/// A graceful HTTP server without a builder and without services: <c>await GracefulServer.ListenAndServeAsync(":7000", handler)</c>. It
/// is Kestrel with what <c>AddGraceful</c> adds, and it ends as that does, without losing a request.
/// </summary>
/// <remarks>
/// It takes nothing that is the process's: no signal but those of <see cref="CloseOnSignals"/>, no exit code, no console, no
/// configuration, no environment. The report that a serve call results in says the exit code, for <c>Main</c> to return. Many may serve
/// in one process. One instance serves once at a time and, when that has ended, again. All members may be used from any thread;
/// what is set while it serves holds from the next time on.
/// </remarks>
public sealed class GracefulServer : IAsyncDisposable
{
    private readonly Lock _state = new();
    private readonly ServerSignals _signals = new();
    private readonly List<Action<GracefulOptions>> _options = [];
    private readonly List<Action<KestrelServerOptions>> _kestrel = [];
    private ListenAddress? _address;
    private TimeSpan? _tcpKeepAlive;
    private Turn _turn = new();
    private bool _serves;
    private bool _disposed;

    /// <summary>A server without an address and without a handler.</summary>
    public GracefulServer()
    {
    }

    /// <summary>A server for an address.</summary>
    /// <param name="address">Where to listen; see <see cref="Address"/>.</param>
    /// <param name="handler">What answers requests.</param>
    /// <exception cref="ArgumentNullException">The address or the handler is null.</exception>
    /// <exception cref="FormatException">The address is none; the message says what is wrong, and what is allowed.</exception>
    public GracefulServer(string address, RequestDelegate handler)
    {
        ArgumentNullException.ThrowIfNull(handler);
        _address = ListenAddress.Parse(address);
        Handler = handler;
    }

    /// <summary>The server of the static methods, to close it, to choose its signals, to give it a log.</summary>
    public static GracefulServer Default { get; } = new();

    /// <summary>
    /// Where to listen: <c>:7000</c> on all interfaces, <c>127.0.0.1:7000</c>, <c>[::1]:7000</c>, <c>localhost:7000</c> on both loopback
    /// addresses, <c>name:7000</c> on the first IPv4 address of a name or else its first, <c>unix:/run/server.sock</c>, and <c>@name</c> for an abstract
    /// socket: all these speak HTTP. A path, <c>/run/server.sock</c> or <c>./server.sock</c>, is a Unix socket that speaks FastCGI, and so does whatever is written behind
    /// <c>fastcgi:</c>, <c>fastcgi://127.0.0.1:9000</c> or <c>fastcgi:@name</c> for instance. Port 0 means one that is free, see
    /// <see cref="Addresses"/>; <c>localhost:0</c> is <c>127.0.0.1:0</c>. The default is null.
    /// </summary>
    /// <exception cref="ArgumentNullException">It is set to null.</exception>
    /// <exception cref="FormatException">It is none; the message says what is wrong, and what is allowed.</exception>
    public string? Address
    {
        get => _address?.ToString();
        set => _address = ListenAddress.Parse(value!);
    }

    /// <summary>What answers requests. The default is null, which is an error when it is to serve.</summary>
    public RequestDelegate? Handler { get; set; }

    /// <summary>
    /// Makes what it serves TLS. The default is null: plain, but for <see cref="ListenAndServeTlsAsync(string, string, CancellationToken)"/>, to which
    /// it adds.
    /// </summary>
    public Action<HttpsConnectionAdapterOptions>? Tls { get; set; }

    /// <summary>Where it logs. The default is null: nowhere. It is never disposed.</summary>
    public ILoggerFactory? LoggerFactory { get; set; }

    /// <summary>Observes connections that change their phase. The default is null, which costs nothing.</summary>
    public ConnectionStateHandler? StateHandler { get; set; }

    /// <summary>
    /// How long a TCP client may be silent before the kernel asks whether it is still there, and how long between one question and
    /// the next. From one second to 32767 s, in whole seconds, or <see cref="Timeout.InfiniteTimeSpan"/> to leave that to the system; the default
    /// is 15 s.
    /// </summary>
    /// <exception cref="ArgumentOutOfRangeException">It is set to something else.</exception>
    public TimeSpan TcpKeepAlive
    {
        get => _tcpKeepAlive ?? TimeSpan.FromSeconds(15);
        set => _tcpKeepAlive = value == Timeout.InfiniteTimeSpan || (value >= TimeSpan.FromSeconds(1) && value <= TcpProbing.Most)
            ? value
            : throw new ArgumentOutOfRangeException(
                nameof(value), value, $"{nameof(TcpKeepAlive)} is {value}; allowed is between 00:00:01 and {TcpProbing.Most}, or Timeout.InfiniteTimeSpan.");
    }

    /// <summary>
    /// Completes when it listens, with its way out: its tokens, tracked work, a stop that says who asks. It fails as the serve
    /// call does. Of what is served now, was served last, or will be served first.
    /// </summary>
    public Task<IGraceful> Started => Current.Started;

    /// <summary>Completes when the serve call does, with its report or its error. Of what is served now, was served last, or will be served first.</summary>
    public Task<ShutdownReport> Completion => Current.Ended;

    /// <summary>Where it listens, or did last, as URLs, with the port that was found free; empty before <see cref="Started"/>.</summary>
    public IReadOnlyList<string> Addresses => Current.Addresses;

    /// <summary>Why the last serve call ended; null while it serves, when it failed, and before.</summary>
    public StopReason? Reason => Current.Ended is { IsCompletedSuccessfully: true } ended ? ended.Result.Reason : null;

    /// <summary>The signal that ended the last serve call, <c>SIGUSR1</c> for instance; null when none did, and while it serves.</summary>
    public string? SignalReceived => Reason is { Cause: StopCause.Signal } reason ? reason.ToString() : null;

    /// <summary>Connections that are new or have a request in flight: what the way out waits for. A snapshot.</summary>
    public int ConnectionCount => Current.BusyConnections;

    private Turn Current
    {
        get
        {
            lock (_state)
            {
                return _turn;
            }
        }
    }

    /// <summary>Listens at an address and serves until <see cref="Default"/> is closed, whose other settings hold.</summary>
    /// <param name="address">Where to listen; see <see cref="Address"/>.</param>
    /// <param name="handler">What answers requests.</param>
    /// <param name="stop">When it fires, the server leaves in order; nothing prevents that, and nobody can undo it.</param>
    /// <returns>The report, when everybody has left.</returns>
    /// <exception cref="ArgumentNullException">The address or the handler is null. At once.</exception>
    /// <exception cref="FormatException">The address is none. At once; the message says what is wrong, and what is allowed.</exception>
    /// <exception cref="InvalidOperationException"><see cref="Default"/> serves already, or FastCGI is to be spoken over TLS. At once.</exception>
    /// <exception cref="IOException">It can't listen there.</exception>
    public static Task<ShutdownReport> ListenAndServeAsync(string address, RequestDelegate handler, CancellationToken stop = default)
    {
        ArgumentNullException.ThrowIfNull(handler);
        return Default.ListenAsync(ListenAddress.Parse(address), Default.Tls, pem: null, handler, stop);
    }

    /// <inheritdoc cref="ListenAndServeAsync(string, RequestDelegate, CancellationToken)"/>
    /// <summary>Listens with TLS at an address and serves until <see cref="Default"/> is closed, whose other settings hold.</summary>
    /// <param name="address">Where to listen; see <see cref="Address"/>.</param>
    /// <param name="certificatePath">The certificate in PEM, and after it those that vouch for it.</param>
    /// <param name="keyPath">Its key in PEM, not encrypted.</param>
    /// <param name="handler">What answers requests.</param>
    /// <param name="stop">When it fires, the server leaves in order; nothing prevents that, and nobody can undo it.</param>
    /// <exception cref="UnauthorizedAccessException">One of the files may not be read. At once.</exception>
    /// <exception cref="CryptographicException">The files are no certificate and no key, or no pair. At once.</exception>
    public static Task<ShutdownReport> ListenAndServeTlsAsync(
        string address, string certificatePath, string keyPath, RequestDelegate handler, CancellationToken stop = default)
    {
        ArgumentNullException.ThrowIfNull(handler);
        return Default.ListenTlsAsync(ListenAddress.Parse(address), certificatePath, keyPath, handler, stop);
    }

    /// <inheritdoc cref="ServeAsync(Socket, Func{StopReason, bool}?, CancellationToken)"/>
    /// <summary>Serves who connects to a socket until <see cref="Default"/> is closed, whose other settings hold.</summary>
    /// <param name="listener">A stream socket, TCP or Unix, after its Bind and its Listen. It is closed with the server.</param>
    /// <param name="handler">What answers requests.</param>
    /// <param name="stop">When it fires, the server leaves in order; nothing prevents that, and nobody can undo it.</param>
    public static Task<ShutdownReport> ServeAsync(Socket listener, RequestDelegate handler, CancellationToken stop = default)
    {
        ArgumentNullException.ThrowIfNull(handler);
        return Default.AcceptAsync(listener, keep: null, handler, stop);
    }

    /// <summary>Listens at <see cref="Address"/> and serves until it is closed.</summary>
    /// <param name="stop">When it fires, the server leaves in order; nothing prevents that, and nobody can undo it.</param>
    /// <returns>The report, when everybody has left.</returns>
    /// <remarks>
    /// A Unix socket that nobody listens on, left behind by a process that was killed, is removed (on Linux); any other file, and
    /// a socket that somebody listens on, makes it fail.
    /// </remarks>
    /// <exception cref="InvalidOperationException">There is no address or no handler, it serves already, or FastCGI is to be spoken over TLS. At once.</exception>
    /// <exception cref="ObjectDisposedException">It was disposed. At once.</exception>
    /// <exception cref="IOException">It can't listen there.</exception>
    /// <exception cref="OptionsValidationException">The options make no sense.</exception>
    public Task<ShutdownReport> ListenAndServeAsync(CancellationToken stop = default) =>
        ListenAsync(NeedAddress(), Tls, pem: null, NeedHandler(), stop);

    /// <inheritdoc cref="ListenAndServeAsync(CancellationToken)"/>
    /// <summary>Listens with TLS at <see cref="Address"/> and serves until it is closed.</summary>
    /// <param name="certificatePath">The certificate in PEM, and after it those that vouch for it.</param>
    /// <param name="keyPath">Its key in PEM, not encrypted.</param>
    /// <param name="stop">When it fires, the server leaves in order; nothing prevents that, and nobody can undo it.</param>
    /// <exception cref="UnauthorizedAccessException">One of the files may not be read. At once.</exception>
    /// <exception cref="CryptographicException">The files are no certificate and no key, or no pair. At once.</exception>
    public Task<ShutdownReport> ListenAndServeTlsAsync(string certificatePath, string keyPath, CancellationToken stop = default) =>
        ListenTlsAsync(NeedAddress(), certificatePath, keyPath, NeedHandler(), stop);

    /// <summary>Serves who connects to a socket that listens, until it is closed.</summary>
    /// <param name="listener">A stream socket, TCP or Unix, after its Bind and its Listen. It is closed with the server, unless it is kept.</param>
    /// <param name="keep">
    /// Whether the socket stays open when the server leaves for this reason. Who waits in its queue then waits for whoever accepts from it
    /// next: this server again, or another one that does already. So a loop that keeps its socket refuses nobody. Called on the thread pool; it
    /// stays open too when this throws, or has not answered when what is left is cut off. The default is null: it is closed.
    /// </param>
    /// <param name="stop">When it fires, the server leaves in order; nothing prevents that, and nobody can undo it.</param>
    /// <returns>The report, when everybody has left. When somebody closes the socket meanwhile, the server leaves, with exit code 1.</returns>
    /// <remarks>
    /// Who waits in the queue of a socket that is closed is served first. New handshakes are kept out meanwhile only if
    /// <see cref="GracefulOptions.Intake"/> says how: that is done to the socket, and others (a service manager, the process that opened it) may hold it too.
    /// An <see cref="ActivatedSocket"/> is kept, whatever <paramref name="keep"/> would say.
    /// </remarks>
    /// <exception cref="ArgumentNullException">The socket is null. At once.</exception>
    /// <exception cref="ArgumentException">The socket is of another kind, or does not listen. At once.</exception>
    /// <exception cref="InvalidOperationException">There is no handler, or it serves already. At once.</exception>
    /// <exception cref="ObjectDisposedException">It, or the socket, was disposed. At once.</exception>
    /// <exception cref="OptionsValidationException">The options make no sense.</exception>
    public Task<ShutdownReport> ServeAsync(Socket listener, Func<StopReason, bool>? keep = null, CancellationToken stop = default) =>
        AcceptAsync(listener, keep, NeedHandler(), stop);

    /// <summary>Serves one connection that was accepted by somebody else, and leaves when it has ended.</summary>
    /// <param name="connection">The connection; <see cref="AcceptedConnection.Current"/> is the one that was given to this process.</param>
    /// <param name="stop">When it fires, the server leaves in order; nothing prevents that, and nobody can undo it.</param>
    /// <returns>The report, when the connection has ended: exit code 0, whoever closed it and however.</returns>
    /// <exception cref="ArgumentNullException">The connection is null. At once.</exception>
    /// <exception cref="InvalidOperationException">There is no handler, or it serves already: at once. Or another one has served the connection.</exception>
    /// <exception cref="ObjectDisposedException">It was disposed. At once.</exception>
    /// <exception cref="OptionsValidationException">The options make no sense.</exception>
    /// <remarks>However it ends, the connection is closed.</remarks>
    public Task<ShutdownReport> ServeAcceptedAsync(AcceptedConnection connection, CancellationToken stop = default)
    {
        ArgumentNullException.ThrowIfNull(connection);
        var (endpoint, configure, build) = (new AcceptedEndPoint(connection), Endpoint(Tls), Builder(NeedHandler()));
        return ServeAsync(BeginTurn());

        async Task<ShutdownReport> ServeAsync(Turn turn)
        {
            try
            {
                return await RunAsync(turn, () => Task.FromResult(build(kestrel => kestrel.Listen(endpoint, configure))), stop).ConfigureAwait(false);
            }
            finally
            {
                connection.Close();
            }
        }
    }

    /// <summary>
    /// Runs an application of the caller's until it is closed, in the place of <c>app.RunAsync()</c>, and disposes it. It has endpoints and options
    /// of its own: what was given to <c>AddGraceful</c> holds, and of this server only its signals do.
    /// </summary>
    /// <param name="app">An application that was built after <c>builder.AddGraceful()</c> and was not started.</param>
    /// <param name="stop">When it fires, the server leaves in order; nothing prevents that, and nobody can undo it.</param>
    /// <returns>The report, when everybody has left and the host has stopped.</returns>
    /// <exception cref="ArgumentNullException">The application is null. At once.</exception>
    /// <exception cref="InvalidOperationException">
    /// It was built without <c>AddGraceful</c>; or this server was given an address, a handler or another setting for hosts that it
    /// builds, or serves already: at once. Or it wants something else of a signal that closes this server than to stop.
    /// </exception>
    /// <exception cref="ObjectDisposedException">It was disposed. At once.</exception>
    /// <exception cref="OptionsValidationException">The options make no sense. At once.</exception>
    public Task<ShutdownReport> ServeAsync(WebApplication app, CancellationToken stop = default)
    {
        ArgumentNullException.ThrowIfNull(app);
        if (app.Services.GetService<LifecycleEngine>() is null)
        {
            throw new InvalidOperationException("The application was built without Graceful; call builder.AddGraceful() before builder.Build().");
        }

        if (SettingsOfItsHosts().ToList() is { Count: > 0 } settings)
        {
            throw new InvalidOperationException(
                $"An application brings its endpoints, its handler and its options, so {string.Join(" and ", settings)} of this server would not hold; allowed is {nameof(CloseOnSignals)}.");
        }

        return RunAsync(
            BeginTurn(),
            () =>
            {
                _signals.KeepFrom(app.Services.GetRequiredService<IOptions<GracefulOptions>>().Value, app.Services.GetRequiredService<SignalSource>());
                return Task.FromResult(app);
            },
            stop);
    }

    /// <summary>
    /// Has signals close the server. From this call on until <see cref="DisposeAsync"/> they are this server's, also when nothing is served: one that comes
    /// then, or while the server leaves for another reason, closes what is served next, at once. SIGTERM, SIGINT and SIGQUIT sent again within
    /// <see cref="GracefulOptions.DoubleKickWindow"/> force, but not what leaves for another signal; when nothing is served they do what they do by
    /// themselves. Others sent again change nothing. Without this call the server takes no signal.
    /// </summary>
    /// <param name="signals">
    /// Names or numbers, as in <see cref="GracefulOptions.Signals"/>; none means SIGTERM, SIGINT and SIGQUIT. Signals that this system does not know
    /// are ignored, with a warning in the log.
    /// </param>
    /// <returns>This server.</returns>
    /// <exception cref="ArgumentException">A name is empty, or nobody may handle the signal: SIGKILL, for instance.</exception>
    /// <exception cref="ObjectDisposedException">It was disposed.</exception>
    public GracefulServer CloseOnSignals(params string[] signals)
    {
        ArgumentNullException.ThrowIfNull(signals);
        lock (_state)
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            foreach (var signal in signals is [] ? [.. new GracefulOptions().Signals.Keys] : signals)
            {
                _signals.Own(signal);
            }
        }

        return this;
    }

    /// <summary>
    /// Changes the options of the hosts that this server builds, hooks included; called each time it serves. There
    /// <see cref="GracefulOptions.OwnsProcess"/> and <see cref="GracefulOptions.NotifyServiceManager"/> are false and no signal is chosen, unless it says so.
    /// </summary>
    /// <param name="configure">Changes the options.</param>
    /// <returns>This server.</returns>
    /// <exception cref="ArgumentNullException">There is nothing to call.</exception>
    public GracefulServer Configure(Action<GracefulOptions> configure)
    {
        ArgumentNullException.ThrowIfNull(configure);
        lock (_state)
        {
            _options.Add(configure);
        }

        return this;
    }

    /// <summary>Changes Kestrel's options in the hosts that this server builds, limits and further endpoints included; called each time it serves.</summary>
    /// <inheritdoc cref="Configure(Action{GracefulOptions})"/>
    public GracefulServer ConfigureKestrel(Action<KestrelServerOptions> configure)
    {
        ArgumentNullException.ThrowIfNull(configure);
        lock (_state)
        {
            _kestrel.Add(configure);
        }

        return this;
    }

    /// <summary>
    /// Begins work that is not a request and is waited for like one; see <see cref="IGraceful.Begin"/>. When nothing is served any more it is waited for by nobody.
    /// </summary>
    /// <param name="name">What reports call it; not empty.</param>
    /// <returns>Dispose it when the work is done; more than once is harmless.</returns>
    /// <exception cref="ArgumentException">The name is null, empty or blank.</exception>
    /// <exception cref="InvalidOperationException">It has not yet served; wait for <see cref="Started"/>.</exception>
    public IDisposable Begin(string name)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(name);
        var engine = Current.Engine ?? throw new InvalidOperationException($"The work '{name}' begins before the server does; wait for {nameof(Started)}.");
        return new WorkToken(engine, name).Enter();
    }

    /// <summary>
    /// Has the server leave and does not wait for that. Before it has served, the next serve call ends at once. Between two of them there is
    /// nothing to close: a loop that is not to go on is told so by whoever wrote it, or by <see cref="DisposeAsync"/>. It may be prevented
    /// (see <see cref="GracefulOptions.Prevent"/>), before it serves as soon as it would, and undone (see <see cref="IGraceful.ResumeAsync"/>).
    /// </summary>
    /// <returns>True for the first caller of what is served; false then, when it is prevented, and when it has ended.</returns>
    public bool Close() => Current.Close(by: null);

    /// <inheritdoc cref="Close()"/>
    /// <param name="by">Who asks, <c>the admin page</c> for instance: hooks, log and report say so. Not empty.</param>
    /// <exception cref="ArgumentException">The name is null, empty or blank.</exception>
    public bool Close(string by)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(by);
        return Current.Close(by);
    }

    /// <summary>
    /// Has the server leave, as <see cref="Close()"/> does, and waits until its serve call has ended; when nothing is served, for nothing.
    /// Inside a hook it does not wait; inside a request or tracked work use <see cref="Close()"/>, or these and the server wait for each
    /// other until the grace period ends.
    /// </summary>
    /// <param name="cancellationToken">Gives up waiting; the way out goes on.</param>
    /// <returns>
    /// True for the first caller of what is served; false then, when it has ended or failed, and at once when it is prevented, or as soon
    /// as it is undone.
    /// </returns>
    /// <exception cref="OperationCanceledException">The token fired before the end.</exception>
    public Task<bool> CloseAsync(CancellationToken cancellationToken = default) => CloseTurnAsync(by: null, cancellationToken);

    /// <inheritdoc cref="CloseAsync(CancellationToken)"/>
    /// <param name="by">Who asks, <c>the admin page</c> for instance: hooks, log and report say so. Not empty.</param>
    /// <param name="cancellationToken">Gives up waiting; the way out goes on.</param>
    /// <exception cref="ArgumentException">The name is null, empty or blank.</exception>
    public Task<bool> CloseAsync(string by, CancellationToken cancellationToken = default)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(by);
        return CloseTurnAsync(by, cancellationToken);
    }

    /// <summary>
    /// Has the server leave, which nobody prevents or undoes, waits until its serve call has ended, but not inside a hook, and gives its signals
    /// back. It serves no more. The reason is <see cref="StopCause.HostStopped"/>, if this was the first to ask.
    /// </summary>
    /// <returns>The end.</returns>
    public async ValueTask DisposeAsync()
    {
        Turn turn;
        bool serves;
        lock (_state)
        {
            _disposed = true;
            (turn, serves) = (_turn, _serves);
        }

        turn.MustEnd();
        if (serves && turn.Engine is not { IsInsideHook: true })
        {
            await turn.EndAsync(CancellationToken.None).ConfigureAwait(false);
        }

        _signals.Dispose();
    }

    private Task<bool> CloseTurnAsync(string? by, CancellationToken cancellationToken)
    {
        Turn turn;
        bool serves;
        lock (_state)
        {
            (turn, serves) = (_turn, _serves);
        }

        return serves ? turn.CloseAsync(by, cancellationToken) : Task.FromResult(turn.Close(by));
    }

    private Task<ShutdownReport> ListenTlsAsync(
        ListenAddress address, string certificatePath, string keyPath, RequestDelegate handler, CancellationToken stop)
    {
        ArgumentException.ThrowIfNullOrEmpty(certificatePath);
        ArgumentException.ThrowIfNullOrEmpty(keyPath);
        var pem = new PemFiles(certificatePath, keyPath);
        Action<HttpsConnectionAdapterOptions> tls = pem.ApplyTo;
        try
        {
            return ListenAsync(address, tls + Tls, pem, handler, stop);
        }
        catch
        {
            pem.Dispose();
            throw;
        }
    }

    private Task<ShutdownReport> ListenAsync(
        ListenAddress address, Action<HttpsConnectionAdapterOptions>? tls, IDisposable? pem, RequestDelegate handler, CancellationToken stop)
    {
        if (address.IsFastCgi && tls is not null)
        {
            throw new InvalidOperationException(
                $"At '{address}' FastCGI is spoken, which has no TLS; allowed is an address of HTTP, 'unix:/run/server.sock' for instance, or no TLS.");
        }

        var build = Builder(handler);
        return RunAsync(
            BeginTurn(),
            async () =>
            {
                var configure = Endpoint(tls);
                if (address.IsFastCgi)
                {
                    configure += static endpoint => endpoint.UseFastCgi();
                }

                var listen = await address.BindingAsync(configure).ConfigureAwait(false);
                if (address.Path is { } path)
                {
                    SocketFile.RemoveStale(path);
                }

                return build(listen);
            },
            stop,
            address,
            pem);
    }

    private Task<ShutdownReport> AcceptAsync(Socket listener, Func<StopReason, bool>? keep, RequestDelegate handler, CancellationToken stop)
    {
        var endpoint = KeptEndPoint.Of(listener, keep);
        var (configure, build) = (Endpoint(Tls), Builder(handler));
        return RunAsync(BeginTurn(), () => Task.FromResult(build(kestrel => kestrel.Listen(endpoint, configure))), stop);
    }

    private Action<ListenOptions> Endpoint(Action<HttpsConnectionAdapterOptions>? tls)
    {
        var keepAlive = TcpKeepAlive;
        return endpoint =>
        {
            if (keepAlive != Timeout.InfiniteTimeSpan)
            {
                TcpProbing.Use(endpoint, keepAlive);
            }

            if (tls is not null)
            {
                endpoint.UseHttps(tls);
            }
        };
    }

    /// <summary>What is set now holds for the host that is built then.</summary>
    private Func<Action<KestrelServerOptions>, WebApplication> Builder(RequestDelegate handler)
    {
        lock (_state)
        {
            var (loggers, observe) = (LoggerFactory, StateHandler);
            Action<GracefulOptions>[] options = [graceful => graceful.StateHandler = observe, .. _options, _signals.KeepFrom];
            Action<KestrelServerOptions>[] kestrel = [.. _kestrel];
            return listen => InnerHost.Build(loggers, All(options), All([listen, .. kestrel]), handler);
        }

        static Action<T> All<T>(IEnumerable<Action<T>> acts) => target =>
        {
            foreach (var act in acts)
            {
                act(target);
            }
        };
    }

    private Turn BeginTurn()
    {
        lock (_state)
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            if (_serves)
            {
                throw new InvalidOperationException("This server serves already; for one more at the same time make another instance.");
            }

            if (_turn.Ended.IsCompleted)
            {
                _turn = new Turn();
            }

            _serves = true;
            return _turn;
        }
    }

    private async Task<ShutdownReport> RunAsync(
        Turn turn, Func<Task<WebApplication>> build, CancellationToken stop, ListenAddress? address = null, IDisposable? pem = null)
    {
        try
        {
            using var _ = pem;
            var app = await build().ConfigureAwait(false);
            ShutdownReport report;
            await using (app.ConfigureAwait(false))
            {
                report = await RunAsync(turn, app, stop).ConfigureAwait(false);
            }

            End(() => turn.End(report));
            return report;
        }
        catch (SocketException e) when (address is not null)
        {
            var failure = new IOException($"Can't listen on '{address}': {e.Message}", e);
            End(() => turn.Fail(failure));
            throw failure;
        }
        catch (Exception e)
        {
            End(() => turn.Fail(e));
            throw;
        }
    }

    private async Task<ShutdownReport> RunAsync(Turn turn, WebApplication app, CancellationToken stop)
    {
        var engine = app.Services.GetRequiredService<LifecycleEngine>();
        var by = 0;
        turn.Attach(engine, app.Services.GetRequiredService<IGraceful>());
        _signals.Attach(engine);
        try
        {
            await using var closing = stop.Register(turn.MustEnd).ConfigureAwait(false);
            await app.StartAsync(CancellationToken.None).ConfigureAwait(false);
            turn.Start(app.Services.GetRequiredService<FastCgiServer>().InTruth(app.Urls));
            await app.WaitForShutdownAsync(CancellationToken.None).ConfigureAwait(false);
            var report = await engine.Reported.ConfigureAwait(false);
            by = report.Reason.Signal;
            return report;
        }
        finally
        {
            _signals.Detach(by);
        }
    }

    /// <summary>First the next turn may begin, then those who wait for the end are told.</summary>
    private void End(Action tell)
    {
        lock (_state)
        {
            _serves = false;
            tell();
        }
    }

    private ListenAddress NeedAddress() => _address ?? throw new InvalidOperationException($"{nameof(Address)} is not set; ':7000' listens on all interfaces.");

    /// <summary>What was set that an application has of its own.</summary>
    private IEnumerable<string> SettingsOfItsHosts()
    {
        (bool IsSet, string Name)[] settings;
        lock (_state)
        {
            settings =
            [
                (_address is not null, nameof(Address)),
                (Handler is not null, nameof(Handler)),
                (Tls is not null, nameof(Tls)),
                (_tcpKeepAlive is not null, nameof(TcpKeepAlive)),
                (LoggerFactory is not null, nameof(LoggerFactory)),
                (StateHandler is not null, nameof(StateHandler)),
                (_options.Count > 0, nameof(Configure)),
                (_kestrel.Count > 0, nameof(ConfigureKestrel)),
            ];
        }

        return settings.Where(setting => setting.IsSet).Select(setting => setting.Name);
    }

    private RequestDelegate NeedHandler() => Handler ?? throw new InvalidOperationException($"{nameof(Handler)} is not set: there is nothing that answers.");
}
