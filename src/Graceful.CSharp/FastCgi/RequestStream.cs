using System.Buffers;
using System.IO.Pipelines;
using Graceful.Serving;

namespace Graceful.FastCgi;

/// <summary>The body of a request as a stream.</summary>
internal sealed class RequestStream(FastCgiRequest request, PipeReader reader) : UnseekableStream
{
    public override bool CanRead => true;

    public override bool CanWrite => false;

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        while (true)
        {
            var result = await reader.ReadAsync(cancellationToken).ConfigureAwait(false);
            if (result.IsCanceled)
            {
                throw new OperationCanceledException("The read was canceled.");
            }

            if (result.Buffer.IsEmpty && !result.IsCompleted)
            {
                reader.AdvanceTo(result.Buffer.Start);
                continue;
            }

            var piece = result.Buffer.Slice(0, Math.Min(result.Buffer.Length, buffer.Length));
            var length = (int)piece.Length;
            piece.CopyTo(buffer.Span);
            // From here on the piece is somebody else's, and its length too.
            reader.AdvanceTo(piece.End);
            return length;
        }
    }

    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override int Read(byte[] buffer, int offset, int count)
    {
        request.MustAllowBlocking(nameof(ReadAsync));
        return ReadAsync(buffer.AsMemory(offset, count)).AsTask().GetAwaiter().GetResult();
    }

    public override Task CopyToAsync(Stream destination, int bufferSize, CancellationToken cancellationToken) =>
        reader.CopyToAsync(destination, cancellationToken);

    public override void Flush()
    {
    }

    public override Task FlushAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
}
