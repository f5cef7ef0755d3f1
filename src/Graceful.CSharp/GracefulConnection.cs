using System.Buffers;
using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Runtime.CompilerServices;
using Graceful.Core;
using Graceful.Sockets;
using Microsoft.FSharp.Core;

namespace Graceful;

/// <summary>
/// A connection that a <see cref="GracefulListener"/> accepted: a stream that knows whether somebody works on it, and that the server
/// closes on its way out when nobody does.
/// </summary>
/// <remarks>
/// <para>
/// When the server has closed it, a read gives 0, as at the client's end, and a write fails with an <see cref="IOException"/>. Bytes that
/// a read gives in the modes <see cref="ConnectionMode.Automatic"/> and <see cref="ConnectionMode.Deadline"/> are work that is waited for;
/// bytes that meet the close are dropped. When the server has reset it, because its grace period was over, reads and writes fail with an
/// <see cref="IOException"/>.
/// </para>
/// <para>
/// As with any network stream one read and one write may go on at the same time. All other members are for any thread at any time.
/// </para>
/// </remarks>
#pragma warning disable CA1710 // It is a connection first, and a stream as a NetworkStream is.
public sealed class GracefulConnection : Stream
#pragma warning restore CA1710
{
    private static readonly TimeSpan FarewellLimit = TimeSpan.FromSeconds(1);

    private readonly RawConnection _raw;
    private readonly TimeProvider _time;
    private readonly bool _bytesCount;
    private readonly FSharpValueOption<ConnectionEvent> _onDeadline;
    private readonly Lock _settingDeadlines = new();
    private readonly EndPoint? _local;
    private Stream _inner;
    private IoDeadline? _readDeadline;
    private IoDeadline? _writeDeadline;
    private bool _isDisposed;
    private int _disposals;

    internal GracefulConnection(RawConnection raw, Mode mode, TimeProvider time)
    {
        _raw = raw;
        _time = time;
        _local = raw.Socket.LocalEndPoint;
        _bytesCount = ModeModule.interpret(mode, Observation.BytesRead).IsSome;
        _onDeadline = ModeModule.interpret(mode, Observation.ReadDeadlineSet);
        _inner = new NetworkStream(raw.Socket, ownsSocket: false);
    }

    /// <summary>What reports and the <see cref="GracefulOptions.StateHandler"/> call it; unique in the process.</summary>
    public string Id => _raw.Id;

    /// <summary>Its socket. To read, write or close past the stream is not noticed.</summary>
    public Socket Socket => _raw.Socket;

    /// <summary>The client's end, also when the connection is closed; of a Unix socket mostly without a name.</summary>
    public EndPoint? RemoteEndPoint => _raw.Remote;

    /// <summary>The server's end, also when the connection is closed.</summary>
    public EndPoint? LocalEndPoint => _local;

    /// <summary>What TLS has agreed upon; null without TLS. To read from it or write to it is not noticed.</summary>
    public SslStream? Tls => _inner as SslStream;

    /// <summary>What it is doing; <see cref="ConnectionPhase.Closed"/> also when it was disowned.</summary>
    public ConnectionPhase Phase => _raw.Phase;

    /// <summary>
    /// Whether the server is leaving, as far as this connection is concerned: it is closed as soon as it is marked idle. A protocol
    /// that knows a farewell says it now.
    /// </summary>
    public bool IsRetiring => ConnectionModule.isRetiring(_raw.Now);

    /// <inheritdoc/>
    public override bool CanRead => !_isDisposed;

    /// <inheritdoc/>
    public override bool CanWrite => !_isDisposed;

    /// <summary>Always false.</summary>
    public override bool CanSeek => false;

    /// <inheritdoc/>
    public override bool CanTimeout => true;

    /// <summary>
    /// How long a synchronous read may take, in milliseconds, as on a <see cref="NetworkStream"/>; the default is
    /// <see cref="Timeout.Infinite"/>. It says nothing of work, and while there is a read deadline it is not looked at: see
    /// <see cref="SetReadDeadline(DateTimeOffset?)"/>.
    /// </summary>
    public override int ReadTimeout
    {
        get => _inner.ReadTimeout;
        set => _inner.ReadTimeout = value;
    }

    /// <summary>
    /// How long a synchronous write may take, in milliseconds, as on a <see cref="NetworkStream"/>; the default is
    /// <see cref="Timeout.Infinite"/>. While there is a write deadline it is not looked at.
    /// </summary>
    public override int WriteTimeout
    {
        get => _inner.WriteTimeout;
        set => _inner.WriteTimeout = value;
    }

    /// <summary>Not supported.</summary>
    public override long Length => throw new NotSupportedException("A connection has no length.");

    /// <summary>Not supported.</summary>
    public override long Position
    {
        get => throw new NotSupportedException("A connection has no position.");
        set => throw new NotSupportedException("A connection has no position.");
    }

    internal RawConnection Raw => _raw;

    /// <summary>What TLS is spoken over.</summary>
    internal Stream Plain => _inner;

    /// <summary>
    /// Somebody works on it: it is waited for until it is marked idle or ends. It is a level, not a count: to mark it twice is to mark it
    /// once. Any thread.
    /// </summary>
    /// <returns>False when the server has closed it already, and nobody would wait for the work; true also for one that was disowned.</returns>
    /// <exception cref="ObjectDisposedException">The stream was disposed.</exception>
    public bool MarkInUse()
    {
        ObjectDisposedException.ThrowIf(_isDisposed, this);
        return _raw.MarkInUse();
    }

    /// <summary>
    /// Nobody works on it any more, and nothing more is expected of the client: from now on it may be closed at any time, and when the
    /// server leaves it is closed at once. It is a level: one that is idle stays so. Any thread.
    /// </summary>
    /// <exception cref="ObjectDisposedException">The stream was disposed.</exception>
    public void MarkIdle()
    {
        ObjectDisposedException.ThrowIf(_isDisposed, this);
        _raw.MarkIdle();
    }

    /// <summary>
    /// From now on it is no business of the server's: nobody waits for it or closes it, and the stream goes on until its owner disposes
    /// it, whatever becomes of listener and server. Any thread.
    /// </summary>
    /// <exception cref="ObjectDisposedException">The stream was disposed.</exception>
    /// <exception cref="InvalidOperationException">It was disowned before, or the server has closed it.</exception>
    public void Disown()
    {
        ObjectDisposedException.ThrowIf(_isDisposed, this);
        if (!_raw.TryDisown())
        {
            throw new InvalidOperationException(ConnectionModule.isDisowned(_raw.Now)
                ? "The connection was disowned already; once is enough."
                : "The server has closed the connection already, so there is nothing left to be disowned.");
        }
    }

    /// <summary>
    /// The moment by which bytes must come: reads that begin after this call, and those that wait under an earlier deadline, fail then
    /// with an <see cref="IOException"/> whose cause is a <see cref="TimeoutException"/>, until another moment is set. The connection stays as it is. In
    /// <see cref="ConnectionMode.Deadline"/> to set one marks the connection idle; to lift it does not. By the server's
    /// <see cref="GracefulOptions.TimeProvider"/>. Any thread.
    /// </summary>
    /// <param name="at">The moment; one in the past is over at once; null for none, the default.</param>
    /// <exception cref="ObjectDisposedException">The stream was disposed.</exception>
    public void SetReadDeadline(DateTimeOffset? at) => SetReadDeadlineAfter(at - _time.GetUtcNow());

    /// <inheritdoc cref="SetReadDeadline(DateTimeOffset?)"/>
    /// <param name="after">How long from now; zero or less is over at once, <see cref="Timeout.InfiniteTimeSpan"/> is none.</param>
    public void SetReadDeadline(TimeSpan after) => SetReadDeadlineAfter(after == Timeout.InfiniteTimeSpan ? null : after);

    /// <summary>
    /// The moment by which writes must be over: those that begin after this call, and those that wait under an earlier deadline, fail
    /// then with an <see cref="IOException"/> whose cause is a <see cref="TimeoutException"/>. How much of what was written has gone out nobody knows. Any thread.
    /// </summary>
    /// <param name="at">The moment; one in the past is over at once; null for none, the default.</param>
    /// <exception cref="ObjectDisposedException">The stream was disposed.</exception>
    public void SetWriteDeadline(DateTimeOffset? at) => Deadline(ref _writeDeadline).Set(at - _time.GetUtcNow());

    /// <inheritdoc cref="SetWriteDeadline(DateTimeOffset?)"/>
    /// <param name="after">How long from now; zero or less is over at once, <see cref="Timeout.InfiniteTimeSpan"/> is none.</param>
    public void SetWriteDeadline(TimeSpan after) => Deadline(ref _writeDeadline).Set(after == Timeout.InfiniteTimeSpan ? null : after);

    /// <summary>Ends one direction, or both; the client sees the end after what was written.</summary>
    /// <param name="how">Which.</param>
    /// <exception cref="IOException">The connection is closed, by either side.</exception>
    /// <exception cref="ObjectDisposedException">The stream was disposed.</exception>
    public void Shutdown(SocketShutdown how)
    {
        ObjectDisposedException.ThrowIf(_isDisposed, this);
        try
        {
            Socket.Shutdown(how);
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            throw new IOException("The connection is closed.", e);
        }
    }

    /// <inheritdoc/>
    public override int Read(byte[] buffer, int offset, int count)
    {
        ValidateBufferArguments(buffer, offset, count);
        return Read(buffer.AsSpan(offset, count));
    }

    /// <inheritdoc/>
    public override int Read(Span<byte> buffer)
    {
        if (!MayRead())
        {
            return 0;
        }

        if (_readDeadline is { IsSet: true })
        {
            return ReadUntil(buffer);
        }

        try
        {
            return Heard(_inner.Read(buffer));
        }
        catch (Exception e) when (IsOurDoing(e))
        {
            return Cut(e);
        }
    }

    /// <inheritdoc/>
    public override int ReadByte()
    {
        Span<byte> one = stackalloc byte[1];
        return Read(one) == 0 ? -1 : one[0];
    }

    /// <inheritdoc/>
    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken)
    {
        ValidateBufferArguments(buffer, offset, count);
        return ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();
    }

    /// <inheritdoc/>
    public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        ValueTask<int> reading;
        try
        {
            if (!MayRead())
            {
                return new ValueTask<int>(0);
            }

            if (_readDeadline is not null)
            {
                return ReadUntilAsync(buffer, cancellationToken);
            }

            reading = _inner.ReadAsync(buffer, cancellationToken);
        }
        catch (Exception e) when (IsOurDoing(e))
        {
            return WasCut() ? ValueTask.FromException<int>(Reset(e)) : new ValueTask<int>(0);
        }

        return reading.IsCompletedSuccessfully ? new ValueTask<int>(Heard(reading.Result)) : HeardAsync(reading);
    }

    /// <inheritdoc/>
    public override IAsyncResult BeginRead(byte[] buffer, int offset, int count, AsyncCallback? callback, object? state) =>
        TaskToAsyncResult.Begin(ReadAsync(buffer, offset, count, CancellationToken.None), callback, state);

    /// <inheritdoc/>
    public override int EndRead(IAsyncResult asyncResult) => TaskToAsyncResult.End<int>(asyncResult);

    /// <inheritdoc/>
    public override void Write(byte[] buffer, int offset, int count)
    {
        ValidateBufferArguments(buffer, offset, count);
        Write(buffer.AsSpan(offset, count));
    }

    /// <inheritdoc/>
    public override void Write(ReadOnlySpan<byte> buffer)
    {
        MustBeOpen();
        if (_writeDeadline is { IsSet: true })
        {
            WriteUntilAsync(buffer.ToArray(), CancellationToken.None).AsTask().GetAwaiter().GetResult();
            return;
        }

        try
        {
            _inner.Write(buffer);
        }
        catch (ObjectDisposedException e) when (!_isDisposed)
        {
            throw Closed(e);
        }
    }

    /// <inheritdoc/>
    public override void WriteByte(byte value) => Write([value]);

    /// <inheritdoc/>
    public override Task WriteAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken)
    {
        ValidateBufferArguments(buffer, offset, count);
        return WriteAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();
    }

    /// <inheritdoc/>
    public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
    {
        try
        {
            MustBeOpen();
            return _writeDeadline is null ? _inner.WriteAsync(buffer, cancellationToken) : WriteUntilAsync(buffer, cancellationToken);
        }
        catch (ObjectDisposedException e) when (!_isDisposed)
        {
            return ValueTask.FromException(Closed(e));
        }
        catch (IOException e)
        {
            return ValueTask.FromException(e);
        }
    }

    /// <inheritdoc/>
    public override IAsyncResult BeginWrite(byte[] buffer, int offset, int count, AsyncCallback? callback, object? state) =>
        TaskToAsyncResult.Begin(WriteAsync(buffer, offset, count, CancellationToken.None), callback, state);

    /// <inheritdoc/>
    public override void EndWrite(IAsyncResult asyncResult) => TaskToAsyncResult.End(asyncResult);

    /// <summary>Does nothing: what is written is on its way.</summary>
    public override void Flush()
    {
    }

    /// <summary>Does nothing: what is written is on its way.</summary>
    /// <param name="cancellationToken">Not looked at.</param>
    /// <returns>A completed task.</returns>
    public override Task FlushAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <summary>Not supported.</summary>
    /// <param name="offset">Not looked at.</param>
    /// <param name="origin">Not looked at.</param>
    /// <returns>Nothing.</returns>
    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException("A connection has no position.");

    /// <summary>Not supported.</summary>
    /// <param name="value">Not looked at.</param>
    public override void SetLength(long value) => throw new NotSupportedException("A connection has no length.");

    /// <inheritdoc/>
    public override async ValueTask DisposeAsync()
    {
        if (_raw.IsHeard && Tls is not null)
        {
            await SayFarewellAsync().ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        await base.DisposeAsync().ConfigureAwait(false);
    }

    /// <summary>The handshake is over: from now on the stream is the decrypted one.</summary>
    internal void Use(SslStream tls)
    {
        _inner = tls;
        _raw.Farewell = SayFarewellAsync;
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (!disposing || Interlocked.Exchange(ref _disposals, 1) != 0)
        {
            base.Dispose(disposing);
            return;
        }

        _isDisposed = true;
        _raw.EndedByUser();
        _inner.Dispose();
        lock (_settingDeadlines)
        {
            _readDeadline?.Dispose();
            _writeDeadline?.Dispose();
        }

        base.Dispose(disposing);
    }

    private async Task SayFarewellAsync() => await Tls!.ShutdownAsync().WaitAsync(FarewellLimit).ConfigureAwait(false);

    private void SetReadDeadlineAfter(TimeSpan? wait)
    {
        Deadline(ref _readDeadline).Set(wait);
        if (wait is not null && _onDeadline.IsSome)
        {
            _raw.MarkIdle();
        }
    }

    private IoDeadline Deadline(ref IoDeadline? which)
    {
        lock (_settingDeadlines)
        {
            ObjectDisposedException.ThrowIf(_isDisposed, this);
            return which ??= new IoDeadline(_time);
        }
    }

    /// <summary>False when the server has closed it, which reads as an end.</summary>
    /// <exception cref="IOException">The server has reset it.</exception>
    private bool MayRead()
    {
        ObjectDisposedException.ThrowIf(_isDisposed, this);
        return _raw.IsHeard || (WasCut() ? throw Reset(null) : false);
    }

    /// <summary>Bytes came: they are work before anybody sees them, or nobody ever does.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private int Heard(int bytes)
    {
        return (bytes > 0 && _bytesCount ? _raw.MarkInUse() : _raw.IsHeard) ? bytes : 0;
    }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private async ValueTask<int> HeardAsync(ValueTask<int> reading)
    {
        try
        {
            return Heard(await reading.ConfigureAwait(false));
        }
        catch (Exception e) when (IsOurDoing(e))
        {
            return Cut(e);
        }
    }

    private async ValueTask<int> ReadUntilAsync(Memory<byte> buffer, CancellationToken cancellationToken)
    {
        var over = _readDeadline!.Over;
        using var either = Either(over, cancellationToken);
        try
        {
            over.ThrowIfCancellationRequested();
            return Heard(await _inner.ReadAsync(buffer, either?.Token ?? over).ConfigureAwait(false));
        }
        catch (OperationCanceledException e) when (!cancellationToken.IsCancellationRequested)
        {
            throw new IOException("No bytes came before the read deadline.", new TimeoutException("The read deadline is over.", e));
        }
        catch (OperationCanceledException)
        {
            throw new OperationCanceledException(cancellationToken);
        }
        catch (Exception e) when (IsOurDoing(e))
        {
            return Cut(e);
        }
    }

    /// <summary>Whoever waits for bytes and for a clock waits on the thread pool.</summary>
    private int ReadUntil(Span<byte> buffer)
    {
        var rented = ArrayPool<byte>.Shared.Rent(buffer.Length);
        try
        {
            var bytes = ReadUntilAsync(rented.AsMemory(0, buffer.Length), CancellationToken.None).AsTask().GetAwaiter().GetResult();
            rented.AsSpan(0, bytes).CopyTo(buffer);
            return bytes;
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(rented);
        }
    }

    private async ValueTask WriteUntilAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken)
    {
        var over = _writeDeadline!.Over;
        using var either = Either(over, cancellationToken);
        try
        {
            over.ThrowIfCancellationRequested();
            await _inner.WriteAsync(buffer, either?.Token ?? over).ConfigureAwait(false);
        }
        catch (OperationCanceledException e) when (!cancellationToken.IsCancellationRequested)
        {
            throw new IOException("The bytes were not written before the write deadline.", new TimeoutException("The write deadline is over.", e));
        }
        catch (OperationCanceledException)
        {
            throw new OperationCanceledException(cancellationToken);
        }
        catch (ObjectDisposedException e) when (!_isDisposed)
        {
            throw Closed(e);
        }
    }

    private static CancellationTokenSource? Either(CancellationToken over, CancellationToken cancellationToken) =>
        cancellationToken.CanBeCanceled ? CancellationTokenSource.CreateLinkedTokenSource(over, cancellationToken) : null;

    private void MustBeOpen()
    {
        ObjectDisposedException.ThrowIf(_isDisposed, this);
        if (!_raw.IsHeard)
        {
            throw WasCut() ? Reset(null) : Closed(null);
        }
    }

    private bool WasCut() => _raw.WasReset;

    private int Cut(Exception e) => WasCut() ? throw Reset(e) : 0;

    private bool IsOurDoing(Exception e) => !_isDisposed && !_raw.IsHeard && e is (IOException or ObjectDisposedException or SocketException);

    private static IOException Closed(Exception? e) => new("The server has closed the connection: nobody worked on it.", e);

    private static IOException Reset(Exception? e) => new("The server has reset the connection: its grace period was over.", e);
}
