using System.Buffers;
using System.IO.Pipelines;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Graceful.Core;
using Graceful.Engine;
using Graceful.FastCgi;
using Graceful.Kestrel;
using Graceful.Tests.Interleavings;
using Graceful.Tests.Support;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;

namespace Graceful.Tests.Reach;

/// <summary>Step by step what <see cref="SentAtTheClose"/> only meets by chance: a transport by hand, over a real socket.</summary>
public sealed class WayInShut : IDisposable
{
    private readonly LifecycleEngine _engine = new(new GracefulOptions(), NullLogger.Instance);

    // Whoever wakes the reader goes on when it waits again.
    private readonly Pipe _input = new(new PipeOptions(readerScheduler: PipeScheduler.Inline, useSynchronizationContext: false));
    private readonly Pipe _output = new();
    private readonly CancellationTokenSource _closed = new();
    private readonly CancellationTokenSource _asked = new();
    private readonly Socket _client = LocalSocket();
    private readonly TaskCompletionSource _aborted = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Socket _server;
    private readonly Watched _reader;
    private readonly KestrelConnection _connection;
    private readonly TrackedContext _context;

    public WayInShut()
    {
        _reader = new Watched(_input.Reader);
        using var door = LocalSocket();
        door.Bind(new UnixDomainSocketEndPoint($"\0graceful-{Guid.NewGuid()}"));
        door.Listen(1);
        _client.Connect(door.LocalEndPoint!);
        _server = door.Accept();
        (_connection, _context) = Track(_server);
    }

    private PipeReader Reader => _context.Transport.Input;

    public void Dispose()
    {
        _engine.Dispose();
        _closed.Dispose();
        _asked.Dispose();
        _client.Dispose();
        _server.Dispose();
    }

    [Fact]
    public async Task Who_is_called_to_end_reads_what_came_before_to_its_end_and_nobody_sends_more()
    {
        var reading = Reader.ReadAsync(TestContext.Current.CancellationToken).AsTask();
        await CallToEndAsync();
        Reader.CancelPendingRead();
        Assert.False(reading.IsCompleted);

        await SendAsync("late"u8.ToArray());
        var read = await reading.Soon();
        Assert.Equal(("late", false), (Encoding.ASCII.GetString(read.Buffer), read.IsCanceled));
        Reader.AdvanceTo(read.Buffer.End);

        await EndInputAsync();
        Assert.True((await Reader.ReadAsync(TestContext.Current.CancellationToken)).IsCompleted);
        Assert.False(_context.ConnectionClosed.IsCancellationRequested);
        Assert.Equal(4, await _server.SendAsync("last"u8.ToArray(), TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task So_it_is_with_who_comes_to_read_only_then()
    {
        Close();
        Reader.CancelPendingRead();
        var reading = Reader.ReadAsync(TestContext.Current.CancellationToken).AsTask();
        await MustBeShutAsync();
        await _input.Writer.CompleteAsync();
        var read = await reading.Soon();
        Assert.Equal((true, false), (read.IsCompleted, read.IsCanceled));
    }

    [Fact]
    public async Task One_that_was_not_closed_is_only_woken()
    {
        Assert.True(await IsWokenAsync());
        Assert.True(CanSend());
    }

    [Fact]
    public async Task One_with_a_request_that_was_faster_than_the_close_is_only_woken()
    {
        var request = new HandmadeRequest(_connection, "HTTP/1.1");
        Close();
        request.Begin(1, endpoint: null);
        Assert.True(await IsWokenAsync());
        Assert.True(CanSend());
        await request.EndAsync().Soon("The end of the request");
    }

    [Fact]
    public async Task What_waits_in_the_socket_is_read_first_and_in_a_request_the_reader_is_only_woken()
    {
        _client.Send("x"u8);
        Close();
        Reader.CancelPendingRead();
        var reading = Reader.ReadAsync(TestContext.Current.CancellationToken).AsTask();
        Reader.CancelPendingRead();
        Assert.False(reading.IsCompleted);
        await SendAsync("late"u8.ToArray());
        var read = await reading.Soon();
        Assert.Equal("late", Encoding.ASCII.GetString(read.Buffer));
        Reader.AdvanceTo(read.Buffer.End);
        Assert.True(CanSend());
        Assert.True(await IsWokenAsync());
        Assert.True(CanSend());
        await _closed.CancelAsync();
        await Limits.Until(() => _context.ConnectionClosed.IsCancellationRequested, "the client's end is heard");
    }

    [Fact]
    public async Task The_end_of_the_client_is_heard_at_any_time_and_that_of_a_connection_that_was_reset_after_its_own_too()
    {
        Assert.False(_context.ConnectionClosed.IsCancellationRequested);
        Close();
        Reader.CancelPendingRead();
        _ = Reader.ReadAsync(TestContext.Current.CancellationToken).AsTask();
        await MustBeShutAsync();
        await _closed.CancelAsync();
        Assert.False(_context.ConnectionClosed.IsCancellationRequested);
        _connection.Apply(ConnectionEvent.Abort);
        await Limits.Until(() => _context.ConnectionClosed.IsCancellationRequested, "the reset is heard");
    }

    [Fact]
    public async Task A_FastCGI_request_that_came_whole_before_is_answered_however_long_that_takes()
    {
        var application = new Patient();
        using var connection = SpeakFastCgi(application);
        var running = connection.RunAsync();
        Close();
        await MustBeShutAsync();
        await SendAsync(RawFastCgiClient.Request(RawFastCgiClient.Variables("GET", "/")));
        await EndInputAsync();
        var lifetime = await application.Begun.Soon("The request");
        Assert.False(running.IsCompleted);
        Assert.False(lifetime.RequestAborted.IsCancellationRequested);
        await MustAnswerAsync(application, running);
    }

    /// <param name="isPadded">Whether something else comes before the request, and is itself cut.</param>
    /// <param name="sent">How many bytes have come before the close.</param>
    [Theory]
    [InlineData(false, 5)]
    [InlineData(false, 8)]
    [InlineData(false, 16)]
    [InlineData(true, 11)]
    public async Task A_FastCGI_request_that_has_begun_to_come_gets_its_rest(bool isPadded, int sent)
    {
        var application = new Patient();
        using var connection = SpeakFastCgi(application);
        var running = connection.RunAsync();
        byte[] before = isPadded ? RawFastCgiClient.Record(RawFastCgiClient.GetValues, 0, default, padding: 8) : [];
        byte[] request = [.. before, .. RawFastCgiClient.Request(RawFastCgiClient.Variables("GET", "/"))];
        await SendAsync(request.AsMemory(0, sent));
        await Limits.Until(() => _reader.Waits, "the rest is waited for");
        Close();
        Assert.True(CanSend());
        await SendAsync(request.AsMemory(sent));
        await MustAnswerAsync(application, running);
    }

    [Fact]
    public async Task A_FastCGI_request_that_waits_in_the_socket_is_answered()
    {
        var application = new Patient();
        using var connection = SpeakFastCgi(application);
        var running = connection.RunAsync();
        _client.Send("x"u8);
        Close();
        Assert.True(CanSend());
        await SendAsync(RawFastCgiClient.Request(RawFastCgiClient.Variables("GET", "/")));
        await MustAnswerAsync(application, running);
    }

    [Fact]
    public async Task A_FastCGI_connection_that_is_called_to_end_while_it_is_not_reading_still_answers_what_came_before()
    {
        var application = new Patient(() => Close());
        using var connection = SpeakFastCgi(application);
        var running = connection.RunAsync();
        application.Go();

        // The call is heard twice: by the reader's own look behind the request, and by the next read.
        await SendAsync(RawFastCgiClient.Request(RawFastCgiClient.Variables("GET", "/")));
        await MustBeShutAsync();
        await SendAsync(RawFastCgiClient.Request(RawFastCgiClient.Variables("GET", "/")));
        await EndInputAsync();
        await running.Soon("The end of the connection");
        Assert.Equal(2, application.Ended);
    }

    [Fact]
    public async Task A_body_that_nobody_read_does_not_keep_the_way_in_open()
    {
        using var server = await StartKestrelAsync();
        await SendAsync("PUT / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\nfoo"u8.ToArray());
        await MustHaveAnsweredAsync("unread");
        await MustAwaitTheNextAsync();
        Close();
        await MustBeShutAsync();
    }

    [Fact]
    public async Task Kestrel_serves_a_request_with_a_body_that_came_whole_before()
    {
        using var server = await StartKestrelAsync();
        Close();
        await MustBeShutAsync();

        // Both at once: Kestrel gives up a body when it hears of the end, though all of it is there.
        _input.Writer.Write("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nhello"u8);
        await EndInputAsync();
        await MustHaveAnsweredAsync("5 bytes");
    }

    [Fact]
    public async Task Kestrel_gives_up_a_request_whose_body_can_not_come_any_more()
    {
        using var server = await StartKestrelAsync();
        Close();
        await MustBeShutAsync();
        await SendAsync("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 6\r\n\r\nhello"u8.ToArray());
        await EndInputAsync();
        await _aborted.Task.Soon("The end of the connection");
    }

    [Fact]
    public async Task Kestrel_refuses_half_a_request_whose_rest_can_not_come_any_more()
    {
        using var server = await StartKestrelAsync();
        Close();
        await MustBeShutAsync();
        await SendAsync("POST / HT"u8.ToArray());
        await EndInputAsync();
        await MustHaveAnsweredAsync("HTTP/1.1 400 Bad Request");
    }

    [Fact]
    public async Task Kestrel_gets_the_rest_of_a_request_that_has_begun_to_come()
    {
        using var server = await StartKestrelAsync();
        await SendAsync("POST / HTTP/1.1\r\n"u8.ToArray());
        await Limits.Until(() => _reader.Waits, "Kestrel waits for the rest");
        Close();
        Assert.True(CanSend());
        await SendAsync("Host: localhost\r\nContent-Length: 5\r\n\r\nhello"u8.ToArray());
        await MustHaveAnsweredAsync("5 bytes");
    }

    [Fact]
    public async Task A_FastCGI_request_whose_rest_can_not_come_any_more_is_aborted()
    {
        var application = new Patient();
        using var connection = SpeakFastCgi(application);
        var running = connection.RunAsync();
        Close();
        await MustBeShutAsync();
        var request = RawFastCgiClient.Request(RawFastCgiClient.Variables("POST", "/", ("CONTENT_LENGTH", "100")), body: new byte[100]);
        await SendAsync(request.AsMemory(0, request.Length - 50));
        await _input.Writer.CompleteAsync();
        var lifetime = await application.Begun.Soon("The request");
        await Limits.Until(() => lifetime.RequestAborted.IsCancellationRequested, "the request is aborted");
        application.Go();
        await running.Soon("The end of the connection");
    }

    [Fact]
    public void Over_TCP_nothing_stands_between()
    {
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        var (_, context) = Track(socket);
        Assert.Same(_reader, context.Transport.Input);
        Assert.Equal(_closed.Token, context.ConnectionClosed);
    }

    private FastCgiConnection SpeakFastCgi(Patient application)
    {
        _context.Features.Set<IConnectionLifetimeNotificationFeature>(new Notice(_asked));
        return new(_context, new Application<IFeatureCollection>(application), new KestrelServerOptions(), new FastCgiLimits(), NullLogger.Instance);
    }

    /// <summary>A Kestrel that has answered a first request, and waits for the next one.</summary>
    private async Task<KestrelServer> StartKestrelAsync()
    {
        var settings = new KestrelServerOptions { ApplicationServices = new ServiceCollection().AddLogging().BuildServiceProvider() };
        settings.Listen(IPAddress.Loopback, 0);
        var server = new KestrelServer(new OptionsWrapper<KestrelServerOptions>(settings), new OneConnection(_context), NullLoggerFactory.Instance);
        await server.StartAsync(new Counting(_connection), TestContext.Current.CancellationToken);
        await SendAsync("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\nfoo"u8.ToArray());
        await MustHaveAnsweredAsync("3 bytes");
        await MustAwaitTheNextAsync();
        return server;
    }

    private Task MustAwaitTheNextAsync() =>
        Limits.Until(() => ConnectionModule.phase(_connection.Now).IsIdle && _reader.Waits, "the next request is waited for");

    private async Task SendAsync(ReadOnlyMemory<byte> bytes) => await _input.Writer.WriteAsync(bytes, TestContext.Current.CancellationToken);

    private async Task MustHaveAnsweredAsync(string expected)
    {
        var answer = "";
        while (!answer.Contains(expected, StringComparison.Ordinal))
        {
            var read = await _output.Reader.ReadAsync(TestContext.Current.CancellationToken).AsTask().Soon(expected);
            Assert.False(read.Buffer.IsEmpty && read.IsCompleted, $"The answer was '{answer}'");
            answer += Encoding.ASCII.GetString(read.Buffer);
            _output.Reader.AdvanceTo(read.Buffer.End);
        }
    }

    private async Task MustAnswerAsync(Patient application, Task running)
    {
        _ = await application.Begun.Soon("The request");
        application.Go();
        await running.Soon("The end of the connection");
        var answer = (await _output.Reader.ReadAsync(TestContext.Current.CancellationToken)).Buffer;
        var end = BuffersExtensions.ToArray(answer.Slice(answer.Length - 16));
        Assert.Equal((RawFastCgiClient.End, 0), (end[1], end[12]));
    }

    private static Socket LocalSocket() => new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);

    private (KestrelConnection Connection, TrackedContext Context) Track(Socket socket)
    {
        var transport = new HandmadeTransport(_aborted) { Transport = new Duplex(_reader, _output.Writer), ConnectionClosed = _closed.Token };
        transport.Features.Set<IConnectionSocketFeature>(new Transport(socket));
        var connection = new KestrelConnection(_engine, transport);
        return (connection, new TrackedContext(transport, connection, ended: null));
    }

    private void Close()
    {
        _connection.Apply(ConnectionEvent.Retire);
        _connection.Apply(ConnectionEvent.Reap);
    }

    /// <summary>What Kestrel does by itself when its connection is closed.</summary>
    private Task CallToEndAsync()
    {
        Close();
        Reader.CancelPendingRead();
        return MustBeShutAsync();
    }

    private Task MustBeShutAsync() => Limits.Until(() => !CanSend(), "the way in is shut");

    /// <summary>The transport has read the end.</summary>
    private async Task EndInputAsync()
    {
        await _input.Writer.CompleteAsync();
        await _closed.CancelAsync();
    }

    private async Task<bool> IsWokenAsync()
    {
        var reading = Reader.ReadAsync(TestContext.Current.CancellationToken).AsTask();
        Reader.CancelPendingRead();
        var read = await reading.Soon();
        Reader.AdvanceTo(read.Buffer.End);
        return read.IsCanceled;
    }

    // Nothing, so that nothing waits for the server that was not meant to.
    private bool CanSend()
    {
        try
        {
            return _client.Send(ReadOnlySpan<byte>.Empty) == 0;
        }
        catch (SocketException e) when (e.SocketErrorCode == SocketError.Shutdown)
        {
            return false;
        }
    }

    private sealed record Transport(Socket Socket) : IConnectionSocketFeature;

    private sealed class Notice(CancellationTokenSource asked) : IConnectionLifetimeNotificationFeature
    {
        public CancellationToken ConnectionClosedRequested { get; set; } = asked.Token;

        public void RequestClose() => asked.Cancel();
    }

    private sealed class HandmadeTransport(TaskCompletionSource aborted) : DefaultConnectionContext("by hand")
    {
        public override void Abort(ConnectionAbortedException abortReason) => aborted.TrySetResult();
    }

    /// <summary>Says whether somebody waits to read.</summary>
    private sealed class Watched(PipeReader pipe) : PipeReader
    {
        private volatile bool _waits;

        public bool Waits => _waits;

        public override ValueTask<ReadResult> ReadAsync(CancellationToken cancellationToken = default)
        {
            var reading = pipe.ReadAsync(cancellationToken);
            _waits = !reading.IsCompleted;
            return reading;
        }

        public override bool TryRead(out ReadResult result) => pipe.TryRead(out result);

        public override void AdvanceTo(SequencePosition consumed) => AdvanceTo(consumed, consumed);

        public override void AdvanceTo(SequencePosition consumed, SequencePosition examined)
        {
            _waits = false;
            pipe.AdvanceTo(consumed, examined);
        }

        public override void CancelPendingRead() => pipe.CancelPendingRead();

        public override void Complete(Exception? exception = null) => pipe.Complete(exception);
    }

    /// <summary>A transport that has this connection and no other.</summary>
    private sealed class OneConnection(ConnectionContext connection) : IConnectionListenerFactory, IConnectionListener
    {
        private ConnectionContext? _next = connection;

        public EndPoint EndPoint { get; } = new IPEndPoint(IPAddress.Loopback, 1);

        public ValueTask<IConnectionListener> BindAsync(EndPoint endpoint, CancellationToken cancellationToken = default) => new(this);

        public ValueTask<ConnectionContext?> AcceptAsync(CancellationToken cancellationToken = default) => new(Interlocked.Exchange(ref _next, null));

        public ValueTask UnbindAsync(CancellationToken cancellationToken = default) => default;

        public ValueTask DisposeAsync() => default;
    }

    /// <summary>Says how long a body was that was posted.</summary>
    private sealed class Counting(KestrelConnection connection) : IHttpApplication<HttpContext>
    {
        public HttpContext CreateContext(IFeatureCollection contextFeatures) => new DefaultHttpContext(contextFeatures);

        public async Task ProcessRequestAsync(HttpContext context)
        {
            connection.Begin(context);
            if (!HttpMethods.IsPost(context.Request.Method))
            {
                await context.Response.WriteAsync("unread");
                return;
            }

            using var all = new MemoryStream();
            await context.Request.Body.CopyToAsync(all);
            await context.Response.WriteAsync($"{all.Length} bytes");
        }

        public void DisposeContext(HttpContext context, Exception? exception)
        {
        }
    }

    /// <summary>Answers when it is told to.</summary>
    private sealed class Patient(Action? ended = null) : IHttpApplication<IFeatureCollection>
    {
        private readonly TaskCompletionSource<IHttpRequestLifetimeFeature> _begun = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private readonly TaskCompletionSource _go = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public Task<IHttpRequestLifetimeFeature> Begun => _begun.Task;

        /// <summary>How many requests have ended.</summary>
        public int Ended { get; private set; }

        public void Go() => _go.SetResult();

        public IFeatureCollection CreateContext(IFeatureCollection contextFeatures) => contextFeatures;

        public Task ProcessRequestAsync(IFeatureCollection context)
        {
            _begun.TrySetResult(context.GetRequiredFeature<IHttpRequestLifetimeFeature>());
            return _go.Task;
        }

        public void DisposeContext(IFeatureCollection context, Exception? exception)
        {
            Ended++;
            ended?.Invoke();
        }
    }
}
