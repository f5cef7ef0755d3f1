using System.Runtime.CompilerServices;
using Graceful.Core;
using Graceful.Serving;
using Microsoft.AspNetCore.Http;

namespace Graceful.Kestrel;

/// <summary>
/// What a WebSocket is spoken over, as the application sees it: all passes as it comes, until the server leaves. Then our
/// Close goes out between two messages, and what the application writes after it is dropped. Where that is, and what it
/// means, the core says; whoever writes holds <see cref="_writing"/>, so that nothing comes in between.
/// </summary>
internal sealed class WebSocketStream(Stream stream, KestrelConnection connection, HttpContext context, bool isTold) : UnseekableStream
{
    /// <summary>FIN and Close, two bytes: 1001, "going away".</summary>
    private static readonly byte[] GoingAway = [0x88, 2, 1001 >> 8, 1001 & 0xFF];

    // Without a wait handle there is nothing to dispose; and whoever is to be told may still wait when the application is done.
#pragma warning disable CA2213
    private readonly SemaphoreSlim _writing = new(1);
#pragma warning restore CA2213
    private readonly Lock _state = new();
    private WebSocket _webSocket = WebSocketModule.initial;
    private FrameCursor _read = FrameCursorModule.initial;
    private long _closedAt;
    private int _reading;
    private bool _hasRead;

    public override bool CanRead => stream.CanRead;

    public override bool CanWrite => stream.CanWrite;

    public override bool CanTimeout => stream.CanTimeout;

    public override int ReadTimeout
    {
        get => stream.ReadTimeout;
        set => stream.ReadTimeout = value;
    }

    public override int WriteTimeout
    {
        get => stream.WriteTimeout;
        set => stream.WriteTimeout = value;
    }

    /// <summary>The request that it began with.</summary>
    public HttpContext Context => context;

    /// <summary>The server leaves: sees to it that the peer is told, and does not wait for that. Any thread, any number of times.</summary>
    public void SayGoodbye()
    {
        if (isTold)
        {
            ThreadPool.UnsafeQueueUserWorkItem(static one => _ = one.SayGoodbyeAsync(), this, preferLocal: false);
        }
    }

    /// <summary>Its request has ended, and it with it.</summary>
    public Task Ended()
    {
        connection.Remove(this);
        return Task.CompletedTask;
    }

    /// <summary>Whoever speaks in it says goodbye in words of its own.</summary>
    public void LeaveAlone()
    {
        lock (_state)
        {
            _webSocket = WebSocketModule.leaveAlone(_webSocket);
        }
    }

    public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

    public override int Read(Span<byte> buffer)
    {
        BeginRead();
        try
        {
            var got = stream.Read(buffer);
            Seen(buffer[..got]);
            return got;
        }
        finally
        {
            EndRead();
        }
    }

    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        BeginRead();
        try
        {
            var got = await stream.ReadAsync(buffer, cancellationToken).ConfigureAwait(false);
            Seen(buffer.Span[..got]);
            return got;
        }
        finally
        {
            EndRead();
        }
    }

    public override IAsyncResult BeginRead(byte[] buffer, int offset, int count, AsyncCallback? callback, object? state) =>
        TaskToAsyncResult.Begin(ReadAsync(buffer, offset, count, CancellationToken.None), callback, state);

    public override int EndRead(IAsyncResult asyncResult) => TaskToAsyncResult.End<int>(asyncResult);

    public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));

    public override void Write(ReadOnlySpan<byte> buffer)
    {
        _writing.Wait();
        try
        {
            var (pass, closes) = Plan(buffer);
            if (pass > 0)
            {
                stream.Write(buffer[..pass]);
            }

            if (closes)
            {
                stream.Write(GoingAway);
                stream.Flush();
                Closed();
            }
        }
        catch
        {
            LeaveAlone();
            throw;
        }
        finally
        {
            _writing.Release();
        }
    }

    public override Task WriteAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        WriteAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder))]
    public override async ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
    {
        await _writing.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            var (pass, closes) = Plan(buffer.Span);
            if (pass > 0)
            {
                await stream.WriteAsync(buffer[..pass], cancellationToken).ConfigureAwait(false);
            }

            if (closes)
            {
                await CloseAsync().ConfigureAwait(false);
            }
        }
        catch
        {
            LeaveAlone();
            throw;
        }
        finally
        {
            _writing.Release();
        }
    }

    public override IAsyncResult BeginWrite(byte[] buffer, int offset, int count, AsyncCallback? callback, object? state) =>
        TaskToAsyncResult.Begin(WriteAsync(buffer, offset, count, CancellationToken.None), callback, state);

    public override void EndWrite(IAsyncResult asyncResult) => TaskToAsyncResult.End(asyncResult);

    public override void Flush() => stream.Flush();

    public override Task FlushAsync(CancellationToken cancellationToken) => stream.FlushAsync(cancellationToken);

    public override async ValueTask DisposeAsync()
    {
        await stream.DisposeAsync().ConfigureAwait(false);
        await base.DisposeAsync().ConfigureAwait(false);
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            stream.Dispose();
        }

        base.Dispose(disposing);
    }

    private async Task SayGoodbyeAsync()
    {
        await _writing.WaitAsync().ConfigureAwait(false);
        try
        {
            bool closes;
            lock (_state)
            {
                (_webSocket, closes) = WebSocketModule.ask(_webSocket);
            }

            if (closes)
            {
                await CloseAsync().ConfigureAwait(false);
            }
        }
#pragma warning disable CA1031 // Whatever keeps the peer from being told, it is on its way out, or is cut off when time is over.
        catch (Exception e)
#pragma warning restore CA1031
        {
            connection.WebSocketNotClosed(e);
        }
        finally
        {
            _writing.Release();
        }
    }

    /// <summary>Call while nobody else writes.</summary>
    private async Task CloseAsync()
    {
        await stream.WriteAsync(GoingAway).ConfigureAwait(false);
        await stream.FlushAsync().ConfigureAwait(false);
        Closed();
    }

    private void Closed()
    {
        Volatile.Write(ref _hasRead, Volatile.Read(ref _reading) > 0);
        Volatile.Write(ref _closedAt, Environment.TickCount64);
        connection.WebSocketClosed(answered: false);
    }

    /// <exception cref="IOException">The application has not noticed for long that nobody hears it any more.</exception>
    private (int Pass, bool Closes) Plan(ReadOnlySpan<byte> bytes)
    {
        lock (_state)
        {
            var closedFor = TimeSpan.FromMilliseconds(Environment.TickCount64 - Volatile.Read(ref _closedAt));
            if (WebSocketModule.isDeaf(closedFor, Volatile.Read(ref _hasRead), _webSocket))
            {
                throw new IOException("The server leaves and has closed the WebSocket, which the application would have read from it.");
            }

            (_webSocket, var pass, var closes) = WebSocketModule.write(bytes, _webSocket);
            return (pass, closes);
        }
    }

    private void BeginRead()
    {
        Interlocked.Increment(ref _reading);
        Volatile.Write(ref _hasRead, true);
    }

    private void EndRead() => Interlocked.Decrement(ref _reading);

    /// <summary>Bytes of the peer's: whoever reads, reads alone.</summary>
    private void Seen(ReadOnlySpan<byte> bytes)
    {
        (var closed, _read) = FrameCursorModule.readAll(bytes, _read);
        if (!closed)
        {
            return;
        }

        bool answered;
        lock (_state)
        {
            (_webSocket, answered) = WebSocketModule.closedByPeer(_webSocket);
        }

        if (answered)
        {
            connection.WebSocketClosed(answered: true);
        }
    }
}
