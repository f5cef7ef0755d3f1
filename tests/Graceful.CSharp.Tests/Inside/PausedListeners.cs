using System.Net;
using System.Net.Sockets;
using Graceful.Engine;
using Graceful.Kestrel;
using Graceful.Tests.Support;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;
using Microsoft.Extensions.Logging.Abstractions;

namespace Graceful.Tests.Inside;

/// <summary>A real listener that pauses, goes on and stops, and an accept loop as Kestrel has it.</summary>
public sealed class PausedListeners : IAsyncLifetime
{
    private readonly LifecycleEngine _engine = new(new GracefulOptions(), NullLogger.Instance);
    private readonly List<ConnectionContext> _accepted = [];
    private TrackedListener _listener = null!;
    private Task _loop = Task.CompletedTask;

    public async ValueTask InitializeAsync()
    {
        var options = new GracefulOptions { Intake = IntakeMethod.LastCall, SettleTime = TimeSpan.Zero };
        var transport = new SocketTransportOptions();
        BoundSockets.Watch(transport);
        var factory = new TrackedListenerFactory(
            new SocketTransportFactory(Microsoft.Extensions.Options.Options.Create(transport), NullLoggerFactory.Instance), _engine, options, given: null, NullLoggerFactory.Instance);
        _listener = (TrackedListener)await factory.BindAsync(new IPEndPoint(IPAddress.Loopback, 0));
        _loop = AcceptAsync();
    }

    public async ValueTask DisposeAsync()
    {
        await _listener.UnbindAsync();
        await _loop.Soon("The end of the accept loop");
        foreach (var connection in Accepted())
        {
            connection.Abort();
            await connection.DisposeAsync();
        }

        await _listener.DisposeAsync();
        _engine.Dispose();
    }

    [Fact]
    public async Task Paused_it_leaves_who_comes_in_the_queue_and_takes_him_when_it_goes_on()
    {
        for (var round = 1; round <= 20; round++)
        {
            await _listener.PauseAsync().Soon("The pause");
            Assert.False(_listener.IsAnybodyWaiting);
            using var client = await ConnectAsync();
            await Limits.Until(() => _listener.IsAnybodyWaiting, "he waits");
            Assert.Equal(round - 1, Accepted().Count);
            _listener.Resume();
            await Limits.Until(() => Accepted().Count == round, "he is let in");
        }
    }

    [Fact]
    public async Task Whoever_was_accepted_is_in_the_table_when_it_is_paused()
    {
        for (var round = 0; round < 200; round++)
        {
            var connecting = Task.WhenAll(Enumerable.Range(0, 3).Select(_ => Task.Run(ConnectAsync)));
            await _listener.PauseAsync().Soon("The pause");
            var inside = _engine.Table.Count;
            var clients = await connecting;
            Assert.Equal(inside, _engine.Table.Count);
            Assert.Equal(inside, Accepted().Count);
            _listener.Resume();
            await Limits.Until(() => _engine.Table.Count == (round + 1) * 3, "all are let in");
            Array.ForEach(clients, client => client.Dispose());
        }
    }

    [Fact]
    public async Task A_pause_that_is_not_waited_for_and_one_more_and_going_on_twice_are_harmless()
    {
        _listener.Resume();
        for (var round = 1; round <= 200; round++)
        {
            var pauses = new[] { _listener.PauseAsync(), _listener.PauseAsync() };
            _listener.Resume();
            _listener.Resume();
            await Task.WhenAll(pauses).Soon("The pause that is over");
            using var client = await ConnectAsync();
            await Limits.Until(() => Accepted().Count == round, "he is let in");
        }
    }

    [Fact]
    public async Task Stopped_while_it_is_paused_it_takes_who_waits_on_the_last_call()
    {
        await _listener.PauseAsync().Soon("The pause");
        using var client = await ConnectAsync();
        await Limits.Until(() => _listener.IsAnybodyWaiting, "he waits");
        var outcome = await _listener.StopAsync(successorHasIt: false).Soon("The stop");
        Assert.Equal((1, "last call", 1), (Accepted().Count, outcome.Method, outcome.LastCall));
        await _loop.Soon("The end of the accept loop");
        await _listener.PauseAsync().Soon("The pause of a listener that is stopped");
        Assert.False(_listener.IsAnybodyWaiting);
        _listener.Resume();
    }

    [Fact]
    public async Task Stopped_while_it_is_paused_and_a_successor_has_the_socket_it_takes_nobody()
    {
        await _listener.PauseAsync().Soon("The pause");
        using var client = await ConnectAsync();
        await Limits.Until(() => _listener.IsAnybodyWaiting, "he waits");
        var outcome = await _listener.StopAsync(successorHasIt: true).Soon("The stop");
        Assert.Equal((0, 0), (Accepted().Count, outcome.LastCall));
    }

    [Fact]
    public async Task Unbound_by_its_server_while_it_is_paused_its_loop_ends()
    {
        await _listener.PauseAsync().Soon("The pause");
        await _listener.UnbindAsync();
        await _loop.Soon("The end of the accept loop");
    }

    [Fact]
    public async Task One_that_does_not_hear_that_it_is_to_pause_passes_for_one_where_somebody_waits()
    {
        using var log = new LogBook();
        await using var deaf = new TrackedListener(new Deaf(), socket: null, borrowed: false, _engine, new GracefulOptions(), new OneLog(log));
        _ = deaf.AcceptAsync().AsTask();
        await deaf.PauseAsync().Soon("The end of its patience");
        Assert.True(deaf.IsAnybodyWaiting);
        Assert.True(log.Has("nowhere goes on accepting while it is told to pause"));
    }

    private async Task AcceptAsync()
    {
        while (await _listener.AcceptAsync() is { } connection)
        {
            lock (_accepted)
            {
                _accepted.Add(connection);
            }
        }
    }

    private List<ConnectionContext> Accepted()
    {
        lock (_accepted)
        {
            return [.. _accepted];
        }
    }

    private async Task<Socket> ConnectAsync()
    {
        var client = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        await client.ConnectAsync(_listener.EndPoint).Soon("The connection");
        return client;
    }

    /// <summary>A transport that looks at no token.</summary>
    private sealed class Deaf : IConnectionListener
    {
        public EndPoint EndPoint { get; } = new Nowhere();

        public async ValueTask<ConnectionContext?> AcceptAsync(CancellationToken cancellationToken = default)
        {
            await Task.Delay(Timeout.Infinite, CancellationToken.None);
            return null;
        }

        public ValueTask UnbindAsync(CancellationToken cancellationToken = default) => default;

        public ValueTask DisposeAsync() => default;

        private sealed class Nowhere : EndPoint
        {
            public override string ToString() => "nowhere";
        }
    }

    private sealed class OneLog(LogBook log) : Microsoft.Extensions.Logging.ILoggerFactory
    {
        public void AddProvider(Microsoft.Extensions.Logging.ILoggerProvider provider)
        {
        }

        public Microsoft.Extensions.Logging.ILogger CreateLogger(string categoryName) => log.CreateLogger(categoryName);

        public void Dispose()
        {
        }
    }
}
