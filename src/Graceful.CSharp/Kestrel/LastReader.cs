using System.IO.Pipelines;
using System.Net.Sockets;
using System.Runtime.CompilerServices;
using Graceful.Sockets;

namespace Graceful.Kestrel;

/// <summary>
/// What comes over a Unix socket. Whoever reads it is woken to end a quiet connection while the next request may just be on its way, and would be
/// dropped. So the way in is shut first: from then on whoever sends is told at once that nobody takes it, and what came before is read to the end.
/// TCP has no such thing: there a close and a request can cross.
/// </summary>
internal sealed class LastReader(PipeReader pipe, KestrelConnection connection, Socket socket) : PipeReader
{
    private bool _isAsked;

    /// <summary>Whether the end that is read is ours and not the client's, who still waits for what he asked for.</summary>
    public bool IsShut { get; private set; }

    public override ValueTask<ReadResult> ReadAsync(CancellationToken cancellationToken = default)
    {
        var reading = pipe.ReadAsync(cancellationToken);
        if (!reading.IsCompletedSuccessfully)
        {
            return ReadOnAsync(reading, cancellationToken);
        }

        var read = reading.Result;
        return IsCallToEnd(read) ? ReadOnAsync(new(read), cancellationToken) : new(read);
    }

    public override bool TryRead(out ReadResult result) => pipe.TryRead(out result);

    public override void AdvanceTo(SequencePosition consumed) => pipe.AdvanceTo(consumed);

    public override void AdvanceTo(SequencePosition consumed, SequencePosition examined) => pipe.AdvanceTo(consumed, examined);

    public override void CancelPendingRead() => pipe.CancelPendingRead();

    public override void Complete(Exception? exception = null) => pipe.Complete(exception);

    public override ValueTask CompleteAsync(Exception? exception = null) => pipe.CompleteAsync(exception);

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private async ValueTask<ReadResult> ReadOnAsync(ValueTask<ReadResult> reading, CancellationToken cancellationToken)
    {
        var read = await reading.ConfigureAwait(false);
        if (!IsCallToEnd(read))
        {
            return read;
        }

        _isAsked = true;
        pipe.AdvanceTo(read.Buffer.Start);

        // Of what waits there already more may be under way: its sender hears of the end by the answer.
        if (!SocketSilence.HasUnreadBytes(socket))
        {
            IsShut = true;
            socket.UnlessGone(static socket => socket.Shutdown(SocketShutdown.Receive));
        }

        return await pipe.ReadAsync(cancellationToken).ConfigureAwait(false);
    }

    private bool IsCallToEnd(in ReadResult read) =>
        read is { IsCanceled: true, IsCompleted: false, Buffer.IsEmpty: true } && !_isAsked && connection.IsClosedIdle;
}
