using System.Buffers;
using System.IO.Pipelines;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Http;

namespace Graceful.FastCgi;

/// <summary>
/// The body of one request. The connection writes what comes and waits while nobody reads, so that it never holds more than a few pages; the application
/// reads, and is told when the body is larger than it may be.
/// </summary>
internal sealed class RequestBody : PipeReader
{
    /// <summary>What may wait to be read, in bytes, before the connection reads no further.</summary>
    public const int MostHeld = 1 << 16;

    private readonly FastCgiRequest _request;
    private readonly PipeWriter _writer;
    private readonly PipeReader _reader;
    private ReadOnlySequence<byte> _seen;
    private long _received;
    private long _consumed;

    public RequestBody(FastCgiRequest request, MemoryPool<byte>? memory)
    {
        _request = request;
        var pipe = new Pipe(new PipeOptions(
            memory, pauseWriterThreshold: MostHeld, resumeWriterThreshold: MostHeld / 2, useSynchronizationContext: false));
        (_writer, _reader) = (pipe.Writer, pipe.Reader);
    }

    /// <summary>Some of the body came.</summary>
    /// <returns>False when nobody reads any more.</returns>
    public async ValueTask<bool> WriteAsync(ReadOnlySequence<byte> piece)
    {
        if (_request.ContentLength is { } length)
        {
            // What is more than was announced is no part of it.
            piece = piece.Slice(0, Math.Min(piece.Length, length - _received));
        }

        if (piece.IsEmpty)
        {
            return true;
        }

        _received += piece.Length;
        foreach (var segment in piece)
        {
            _writer.Write(segment.Span);
        }

        return !(await _writer.FlushAsync().ConfigureAwait(false)).IsCompleted;
    }

    /// <summary>All of the body came, or as much as ever will.</summary>
    public void End() => _writer.Complete(
        _request.ContentLength is { } length && _received < length
            ? new BadHttpRequestException($"The body ended after {_received} of the {length} bytes that were announced.", StatusCodes.Status400BadRequest)
            : null);

    /// <summary>Nobody sends the rest.</summary>
    public void Break() => _writer.Complete(Aborted());

    public override bool TryRead(out ReadResult result)
    {
        BeginReading();
        if (!_reader.TryRead(out result))
        {
            return false;
        }

        result = Seen(result);
        return true;
    }

    public override async ValueTask<ReadResult> ReadAsync(CancellationToken cancellationToken = default)
    {
        BeginReading();
        return Seen(await _reader.ReadAsync(cancellationToken).ConfigureAwait(false));
    }

    public override void AdvanceTo(SequencePosition consumed) => AdvanceTo(consumed, consumed);

    public override void AdvanceTo(SequencePosition consumed, SequencePosition examined)
    {
        _consumed += _seen.Slice(0, consumed).Length;
        _seen = default;
        _reader.AdvanceTo(consumed, examined);
    }

    public override void CancelPendingRead() => _reader.CancelPendingRead();

    public override void Complete(Exception? exception = null) => _reader.Complete(exception);

    private static ConnectionAbortedException Aborted() => new("The request was aborted: the web server gave it up, or its connection ended.");

    private void BeginReading()
    {
        if (_request.IsAborted)
        {
            throw Aborted();
        }

        _request.HasBodyBegun = true;
        if (_request.MaxRequestBodySize is { } most && _request.ContentLength > most)
        {
            throw TooLarge(most);
        }
    }

    private ReadResult Seen(in ReadResult result)
    {
        if (_request.IsAborted)
        {
            throw Aborted();
        }

        _seen = result.Buffer;
        return _request.MaxRequestBodySize is { } most && _consumed + _seen.Length > most ? throw TooLarge(most) : result;
    }

    private static BadHttpRequestException TooLarge(long most) =>
        new($"The body of the request is larger than the {most} bytes that are allowed.", StatusCodes.Status413PayloadTooLarge);
}
