using System.Buffers;
using System.IO.Pipelines;
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
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.Logging.Abstractions;

namespace Graceful.Tests.Reach;

/// <summary>Step by step what <see cref="SentAtTheClose"/> only meets by chance: a transport by hand, over a real socket.</summary>
public sealed class WayInShut : IDisposable
{
    private readonly LifecycleEngine _engine = new(new GracefulOptions(), NullLogger.Instance);
    // Whoever wakes the reader goes on when it waits again.
    private readonly Pipe _input = new(new PipeOptions(readerScheduler: PipeScheduler.Inline, useSynchronizationContext: false));
    private readonly Pipe _output = new();
    private readonly CancellationTokenSource _closed = new();
    private readonly Socket _client = LocalSocket();
    private readonly Socket _server;
    private readonly KestrelConnection _connection;
    private readonly TrackedContext _context;

    public WayInShut()
    {
        using var door = LocalSocket();
        door.Bind(new UnixDomainSocketEndPoint($"\0graceful-{Guid.NewGuid()}"));
        door.Listen(1);
        _client.Connect(door.LocalEndPoint!);
        _server = door.Accept();
        (_connection, _context) = Track(_server);
        _connection.SpeakFastCgi();
    }

    private PipeReader Reader => _context.Transport.Input;

    public void Dispose()
    {
        _engine.Dispose();
        _closed.Dispose();
        _client.Dispose();
        _server.Dispose();
    }

    [Fact]
    public async Task Who_is_called_to_end_reads_what_came_before_to_its_end_and_nobody_sends_more()
    {
        var reading = Reader.ReadAsync(TestContext.Current.CancellationToken).AsTask();
        Close();
        Reader.CancelPendingRead();
        await Limits.Until(() => !CanSend(), "the way in is shut");
        Assert.False(reading.IsCompleted);

        await _input.Writer.WriteAsync("late"u8.ToArray(), TestContext.Current.CancellationToken);
        var read = await reading.Soon();
        Assert.Equal(("late", false), (Encoding.ASCII.GetString(read.Buffer), read.IsCanceled));
        Reader.AdvanceTo(read.Buffer.End);

        // The transport has read the end, which was ours.
        await _input.Writer.CompleteAsync();
        await _closed.CancelAsync();
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
        await Limits.Until(() => !CanSend(), "the way in is shut");
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
    public async Task What_waits_in_the_socket_is_read_first_and_whoever_calls_again_wakes_the_reader()
    {
        _client.Send("x"u8);
        Close();
        var reading = Reader.ReadAsync(TestContext.Current.CancellationToken).AsTask();
        Reader.CancelPendingRead();
        await _input.Writer.WriteAsync("late"u8.ToArray(), TestContext.Current.CancellationToken);
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
        await Limits.Until(() => !CanSend(), "the way in is shut");
        await _closed.CancelAsync();
        Assert.False(_context.ConnectionClosed.IsCancellationRequested);
        _connection.Apply(ConnectionEvent.Abort);
        await Limits.Until(() => _context.ConnectionClosed.IsCancellationRequested, "the reset is heard");
    }

    [Fact]
    public async Task A_FastCGI_request_that_came_whole_before_is_answered_however_long_that_takes()
    {
        var application = new Patient();
        using var connection = new FastCgiConnection(
            _context, new Application<IFeatureCollection>(application), new KestrelServerOptions(), new FastCgiLimits(), NullLogger.Instance);
        var running = connection.RunAsync();
        Close();
        Reader.CancelPendingRead();
        await Limits.Until(() => !CanSend(), "the way in is shut");
        await _input.Writer.WriteAsync(RawFastCgiClient.Request(RawFastCgiClient.Variables("GET", "/")), TestContext.Current.CancellationToken);
        await _input.Writer.CompleteAsync();
        await _closed.CancelAsync();
        var lifetime = await application.Begun.Soon("The request");
        Assert.False(running.IsCompleted);
        Assert.False(lifetime.RequestAborted.IsCancellationRequested);
        application.Go();
        await running.Soon("The end of the connection");
        var answer = (await _output.Reader.ReadAsync(TestContext.Current.CancellationToken)).Buffer;
        var end = BuffersExtensions.ToArray(answer.Slice(answer.Length - 16));
        Assert.Equal((RawFastCgiClient.End, 0), (end[1], end[12]));
    }

    [Fact]
    public async Task A_FastCGI_request_whose_rest_can_not_come_any_more_is_aborted()
    {
        var application = new Patient();
        using var connection = new FastCgiConnection(
            _context, new Application<IFeatureCollection>(application), new KestrelServerOptions(), new FastCgiLimits(), NullLogger.Instance);
        var running = connection.RunAsync();
        Close();
        Reader.CancelPendingRead();
        await Limits.Until(() => !CanSend(), "the way in is shut");
        var request = RawFastCgiClient.Request(RawFastCgiClient.Variables("POST", "/", ("CONTENT_LENGTH", "100")), body: new byte[100]);
        await _input.Writer.WriteAsync(request.AsMemory(0, request.Length - 50), TestContext.Current.CancellationToken);
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
        Assert.Same(_input.Reader, context.Transport.Input);
        Assert.Equal(_closed.Token, context.ConnectionClosed);
    }

    private static Socket LocalSocket() => new(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);

    private (KestrelConnection Connection, TrackedContext Context) Track(Socket socket)
    {
        var transport = new DefaultConnectionContext("by hand") { Transport = new Duplex(_input.Reader, _output.Writer), ConnectionClosed = _closed.Token };
        transport.Features.Set<IConnectionSocketFeature>(new Transport(socket));
        var connection = new KestrelConnection(_engine, transport);
        return (connection, new TrackedContext(transport, connection, ended: null));
    }

    private void Close()
    {
        _connection.Apply(ConnectionEvent.Retire);
        _connection.Apply(ConnectionEvent.Reap);
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

    private sealed class Duplex(PipeReader input, PipeWriter output) : IDuplexPipe
    {
        public PipeReader Input => input;

        public PipeWriter Output => output;
    }

    /// <summary>Answers when it is told to.</summary>
    private sealed class Patient : IHttpApplication<IFeatureCollection>
    {
        private readonly TaskCompletionSource<IHttpRequestLifetimeFeature> _begun = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private readonly TaskCompletionSource _go = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public Task<IHttpRequestLifetimeFeature> Begun => _begun.Task;

        public void Go() => _go.SetResult();

        public IFeatureCollection CreateContext(IFeatureCollection contextFeatures) => contextFeatures;

        public Task ProcessRequestAsync(IFeatureCollection context)
        {
            _begun.SetResult(context.GetRequiredFeature<IHttpRequestLifetimeFeature>());
            return _go.Task;
        }

        public void DisposeContext(IFeatureCollection context, Exception? exception)
        {
        }
    }
}
