using System.Net;
using System.Net.Sockets;
using Graceful.Engine;
using Graceful.FastCgi;
using Graceful.Posix;
using Graceful.Reporting;
using Graceful.Sockets;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;

namespace Graceful.Kestrel;

/// <summary>
/// Goes the whole way out once while the server is young: a host and a Kestrel of its own with a few connections over nameless sockets, idle ones or
/// with a request that is waited for.
/// The runtime compiles what runs for the first time, and once more, better, what has run thirty times; on the real way out that would be tens of
/// milliseconds in which clients and orchestrators wait.
/// </summary>
internal static class Rehearsal
{
    private const int SigTerm = 15;

    /// <summary>Just more than the runtime counts before it compiles a method for good.</summary>
    public const int OftenEnough = 32;

    /// <param name="idle">How many connections just sit there.</param>
    /// <param name="busy">On how many there is a request, which ends in the drain.</param>
    /// <returns>What went on in it.</returns>
    public static Task<ShutdownReport> RunAsync(int idle, int busy)
    {
        // Tools that look for the application's host hear of every one that is built, and go by the context of who builds it.
        using (ExecutionContext.SuppressFlow())
        {
            return Task.Run(() => GoAsync(idle, busy));
        }
    }

    private static async Task<ShutdownReport> GoAsync(int idle, int busy)
    {
        var options = new GracefulOptions
        {
            QuietPeriod = TimeSpan.Zero,
            SettleTime = TimeSpan.FromMilliseconds(1),
            GracePeriod = TimeSpan.FromDays(1),
        };
        using var discard = new Discard();
        using var loggers = new LoggerFactory([discard]);
        var services = new ServiceCollection().AddSingleton<ILoggerFactory>(loggers).AddLogging().BuildServiceProvider();
        await using var disposingServices = services.ConfigureAwait(false);
        using var signals = new SignalSource();
        using var engine = new LifecycleEngine(options, loggers.CreateLogger(Log.Category));

        // Whoever is waited for is in the report, as are on the day those who really hold it up.
        engine.Figures.Slow = TimeSpan.Zero;
        using var playhouse = new Playhouse(idle, busy);
        var transport = new TrackedListenerFactory(playhouse, engine, options, given: null, loggers);
        var settings = new KestrelServerOptions { ApplicationServices = services };
        settings.Listen(playhouse.EndPoint);
        var kestrel = new KestrelServer(Options.Create(settings), transport, loggers);
        using var server = new ApplicationCapture(kestrel, new FastCgiServer(Options.Create(options), loggers));
        var application = new Play(busy, engine, services);
        var builder = new HostApplicationBuilder(new HostApplicationBuilderSettings { DisableDefaults = true });
        builder.Services.AddSingleton<ILoggerFactory>(loggers).AddSingleton<IHostLifetime, SignalFreeLifetime>();
        builder.Services.AddHostedService(_ => new CertificateBinding(engine, Options.Create(options), services, loggers)).AddHostedService(host => new Cast(
            server, application, new HostBinding(engine, signals, host.GetRequiredService<IHostApplicationLifetime>(), [transport], services, loggers)));
        var host = builder.Build();
        engine.HostStop.Register(host.Services.GetRequiredService<IHostApplicationLifetime>().StopApplication);
        var running = host.RunAsync();
        await playhouse.Full.ConfigureAwait(false);
        await application.Begun.ConfigureAwait(false);
        playhouse.KeepNewcomersOut();
        signals.Attach(engine, [new("SIGTERM", SignalAction.Stop)]);
        signals.TryTake(SigTerm);
        await running.ConfigureAwait(false);
        var report = await engine.Reported.ConfigureAwait(false);
        _ = report.ToString();
        return report;
    }

    /// <summary>A transport that listens nowhere and has a few connections.</summary>
    private sealed class Playhouse : IConnectionListenerFactory, IConnectionListener, IConnectionSocketFeature, IDisposable
    {
        private readonly TaskCompletionSource _full = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private readonly SocketTransportOptions _options = new();
        private readonly SocketConnectionContextFactory _connections;
        private readonly Socket _listening = LocalSocket();
        private readonly List<Socket> _clients = [];
        private readonly int _seats;
        private readonly int _busy;
        private int _calls;

        public Playhouse(int idle, int busy)
        {
            _seats = idle + busy;
            _busy = busy;

            // Has no address, and as a local socket can't be given one by the way: what is asked of it has no effect.
            _options.CreateBoundListenSocket = _ => _listening;
            BoundSockets.Watch(_options);
            _connections = new SocketConnectionContextFactory(new SocketConnectionFactoryOptions(), NullLogger.Instance);
        }

        /// <summary>What the kernel is asked of TCP connections, it is asked of this one, which goes nowhere.</summary>
        public Socket Socket { get; } = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);

        public EndPoint EndPoint { get; } = new IPEndPoint(IPAddress.Loopback, 1);

        /// <summary>Completes when the connections were let in and the next one is waited for.</summary>
        public Task Full => _full.Task;

        /// <summary>A listener of TCP would be seen from outside; a socket that goes nowhere takes the same system calls.</summary>
        public void KeepNewcomersOut()
        {
            foreach (var method in (ReadOnlySpan<IntakeMethod>)[IntakeMethod.SynFilter, IntakeMethod.Unplug])
            {
                _ = IntakeStop.Try(method, Socket);
            }
        }

        public ValueTask<IConnectionListener> BindAsync(EndPoint endpoint, CancellationToken cancellationToken = default)
        {
            _ = _options.CreateBoundListenSocket(endpoint);
            return new(this);
        }

        /// <summary>A few connections, then nobody until the last call, and nobody in that.</summary>
        public async ValueTask<ConnectionContext?> AcceptAsync(CancellationToken cancellationToken = default)
        {
            _calls++;
            if (_calls <= _seats)
            {
                return Connect(_calls <= _busy ? "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"u8 : default);
            }

            if (_calls == _seats + 1)
            {
                _full.TrySetResult();
                await Task.Delay(Timeout.InfiniteTimeSpan, cancellationToken).ConfigureAwait(false);
            }

            return null;
        }

        public ValueTask UnbindAsync(CancellationToken cancellationToken = default) => default;

        public ValueTask DisposeAsync() => default;

        public void Dispose()
        {
            Socket.Dispose();
            _clients.ForEach(static client => client.Dispose());
            _listening.Dispose();
            _connections.Dispose();
        }

        private static Socket LocalSocket() => new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);

        private ConnectionContext Connect(ReadOnlySpan<byte> request)
        {
            using var door = LocalSocket();
            door.Bind(new UnixDomainSocketEndPoint($"\0graceful-{Guid.NewGuid()}"));
            door.Listen(1);
            var client = LocalSocket();
            _clients.Add(client);
            client.Connect(door.LocalEndPoint!);
            client.Send(request);
            var connection = _connections.Create(door.Accept());
            connection.Features.Set<IConnectionSocketFeature>(this);
            return connection;
        }
    }

    /// <summary>Its requests end when the drain has begun.</summary>
    private sealed class Play : IHttpApplication<HttpContext>
    {
        private readonly TaskCompletionSource _begun = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private readonly LifecycleEngine _engine;
        private readonly RequestDelegate _pipeline;
        private int _expected;

        public Play(int expected, LifecycleEngine engine, IServiceProvider services)
        {
            _expected = expected;
            _engine = engine;
            if (expected == 0)
            {
                _begun.SetResult();
            }

            var app = new ApplicationBuilder(services);
            new RequestTracking(engine).Configure(app => app.Run(AnswerInTheDrainAsync))(app);
            _pipeline = app.Build();
        }

        /// <summary>Completes when all requests have come.</summary>
        public Task Begun => _begun.Task;

        public HttpContext CreateContext(IFeatureCollection contextFeatures) => new DefaultHttpContext(contextFeatures);

        public Task ProcessRequestAsync(HttpContext context) => _pipeline(context);

        public void DisposeContext(HttpContext context, Exception? exception)
        {
        }

        private async Task AnswerInTheDrainAsync(HttpContext context)
        {
            if (Interlocked.Decrement(ref _expected) == 0)
            {
                _begun.SetResult();
            }

            await Task.Delay(Timeout.InfiniteTimeSpan, _engine.Draining).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    /// <summary>A log that wants every entry and keeps none.</summary>
    private sealed class Discard : ILoggerProvider, ILogger
    {
        public ILogger CreateLogger(string categoryName) => this;

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => logLevel >= LogLevel.Information;

        public void Log<TState>(
            LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
            _ = formatter(state, exception);

        public void Dispose()
        {
        }
    }

    private sealed class Cast(ApplicationCapture server, Play application, HostBinding binding) : HostedPart
    {
        public override Task StartAsync(CancellationToken cancellationToken) => server.StartAsync(application, cancellationToken);

        public override Task StoppingAsync(CancellationToken cancellationToken) => binding.StoppingAsync(cancellationToken);

        public override Task StopAsync(CancellationToken cancellationToken) => server.StopAsync(cancellationToken);

        public override Task StoppedAsync(CancellationToken cancellationToken) => binding.StoppedAsync(cancellationToken);
    }
}
