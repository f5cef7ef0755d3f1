using System.Buffers;
using System.IO.Pipelines;
using System.Net.Sockets;
using System.Runtime.CompilerServices;
using Graceful.Sockets;

namespace Graceful.Kestrel;

/// <summary>
/// What comes over a Unix socket. Whoever reads it is woken to end a quiet connection while the next request may just be on its way, and would be
/// dropped. So the way in is shut first: from then on whoever sends is told at once that nobody takes it, and what came before is read to the end.
/// TCP has no such thing: there a close and a request can cross. From then on nobody hears when the client goes: a last request that
/// has slipped in, and that he gives up, runs as long as it likes.
/// </summary>
#pragma warning disable CA1001 // The source has nothing to dispose: nobody asks for its handle.
internal sealed class LastReader : PipeReader
#pragma warning restore CA1001
{
    private readonly KestrelConnection _connection;
    private readonly Socket _socket;
    private bool _hasBegun;
    private bool _isAllSeen;
    private ReadOnlySequence<byte>? _heldBack;

    public LastReader(PipeReader pipe, KestrelConnection connection, Socket socket) => (Pipe, _connection, _socket) = (pipe, connection, socket);

    /// <summary>What it reads from. Who knows by himself when he is between two requests reads that, and asks <see cref="TryShut"/> before he ends.</summary>
    public PipeReader Pipe { get; }

    /// <summary>Whether the end that is read is ours. The client may still wait for what he asked for.</summary>
    public bool IsShut { get; private set; }

    /// <summary>Fires when the client is gone, or the connection reset, and at its disposal: not where the end that is read is ours.</summary>
    public CancellationTokenSource Closed { get; } = new();

    /// <summary>Called between two requests, while nobody reads, by who is called to end.</summary>
    /// <returns>Whether there may be something to read, up to the end.</returns>
    public bool TryShut()
    {
        if (IsShut || !_connection.IsClosedUntold)
        {
            return IsShut;
        }

        // Of what waits there already more may be under way: its sender hears of the end by the answer.
        if (!SocketSilence.HasUnreadBytes(_socket))
        {
            IsShut = true;
            _socket.UnlessGone(static socket => socket.Shutdown(SocketShutdown.Receive));
        }

        return true;
    }

    /// <summary>What is read from now on is of the next one.</summary>
    public void RequestEnded() => _hasBegun = false;

    public override ValueTask<ReadResult> ReadAsync(CancellationToken cancellationToken = default)
    {
        var reading = Pipe.ReadAsync(cancellationToken);
        if (!reading.IsCompletedSuccessfully)
        {
            return ReadOnAsync(reading, cancellationToken);
        }

        var read = reading.Result;
        return read.IsCanceled ? ReadOnAsync(new(read), cancellationToken) : new(Begun(read));
    }

    /// <summary>Kestrel takes what is left of a request's body with it, after its response: the next one has not begun.</summary>
    public override bool TryRead(out ReadResult result)
    {
        var isRead = Pipe.TryRead(out result);
        if (isRead)
        {
            result = Seen(result);
        }

        return isRead;
    }

    public override void AdvanceTo(SequencePosition consumed) => AdvanceTo(consumed, consumed);

    public override void AdvanceTo(SequencePosition consumed, SequencePosition examined)
    {
        if (_heldBack is { } buffer)
        {
            _heldBack = null;
            _isAllSeen = buffer.Slice(examined).IsEmpty;
        }

        Pipe.AdvanceTo(consumed, examined);
    }

    public override void CancelPendingRead() => Pipe.CancelPendingRead();

    public override void Complete(Exception? exception = null) => Pipe.Complete(exception);

    public override ValueTask CompleteAsync(Exception? exception = null) => Pipe.CompleteAsync(exception);

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private async ValueTask<ReadResult> ReadOnAsync(ValueTask<ReadResult> reading, CancellationToken cancellationToken)
    {
        var read = await reading.ConfigureAwait(false);
        while (IsShutAtCallToEnd(read))
        {
            read = await Pipe.ReadAsync(cancellationToken).ConfigureAwait(false);
        }

        return Begun(read);
    }

    private bool IsShutAtCallToEnd(in ReadResult read)
    {
        if (_hasBegun || read is not { IsCanceled: true, IsCompleted: false, Buffer.IsEmpty: true } || !TryShut())
        {
            return false;
        }

        Pipe.AdvanceTo(read.Buffer.Start);
        return true;
    }

    private ReadResult Begun(in ReadResult read)
    {
        _hasBegun |= !read.Buffer.IsEmpty;
        return Seen(read);
    }

    /// <summary>
    /// Kestrel gives up the body of a request as soon as it hears of the end, though all of it may be there. Where the end is ours it is said only when
    /// there is nothing more to be looked at.
    /// </summary>
    private ReadResult Seen(in ReadResult read)
    {
        if (!IsShut || !read.IsCompleted || _isAllSeen || read.Buffer.IsEmpty)
        {
            return read;
        }

        _heldBack = read.Buffer;
        return new ReadResult(read.Buffer, read.IsCanceled, isCompleted: false);
    }
}
