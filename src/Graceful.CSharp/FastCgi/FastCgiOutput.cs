using System.Buffers;
using System.IO.Pipelines;
using System.Net.Sockets;
using Graceful.Sockets;

namespace Graceful.FastCgi;

/// <summary>
/// What goes to the web server: the response of the request, and the connection's own answers in between. Each goes out whole, one after the
/// other, and whoever writes waits while the web server does not read.
/// </summary>
#pragma warning disable CA1001 // The semaphore has nothing to dispose: nobody asks for its handle.
internal sealed class FastCgiOutput(PipeWriter pipe, Socket? socket)
#pragma warning restore CA1001
{
    private readonly SemaphoreSlim _turn = new(1);
    private bool _isOver;

    /// <summary>Nobody reads what is written, or what was written is all.</summary>
    public bool IsOver => Volatile.Read(ref _isOver);

    /// <summary>Writes some of a stream, in as many records as it takes.</summary>
    /// <param name="type">Which stream.</param>
    /// <param name="requestId">Of which request.</param>
    /// <param name="head">What comes first.</param>
    /// <param name="content">What follows it.</param>
    /// <param name="cancellationToken">Gives up waiting; what was written so far goes out.</param>
    public async ValueTask WriteAsync(
        RecordType type, ushort requestId, ReadOnlyMemory<byte> head, ReadOnlyMemory<byte> content, CancellationToken cancellationToken)
    {
        await _turn.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            while (!_isOver && !(head.IsEmpty && content.IsEmpty))
            {
                (head, content) = WriteOne(type, requestId, head, content);
                await FlushAsync(cancellationToken).ConfigureAwait(false);
            }
        }
        finally
        {
            _turn.Release();
        }
    }

    /// <summary>Writes the end of a request, and what is left of its response before it.</summary>
    /// <param name="requestId">The request.</param>
    /// <param name="head">What comes first of the response.</param>
    /// <param name="content">What follows it.</param>
    /// <param name="error">What goes to the web server's log; empty for nothing.</param>
    /// <param name="applicationStatus">0, or what a program would exit with.</param>
    /// <param name="isLast">Whether the connection ends behind it.</param>
    public async ValueTask EndAsync(
        ushort requestId, ReadOnlyMemory<byte> head, ReadOnlyMemory<byte> content, ReadOnlyMemory<byte> error, int applicationStatus, bool isLast)
    {
        await _turn.WaitAsync().ConfigureAwait(false);
        try
        {
            while (!_isOver && head.Length + content.Length > RecordHeader.MostContent)
            {
                (head, content) = WriteOne(RecordType.StandardOutput, requestId, head, content);
                await FlushAsync(CancellationToken.None).ConfigureAwait(false);
            }

            if (_isOver)
            {
                return;
            }

            if (head.Length + content.Length > 0)
            {
                _ = WriteOne(RecordType.StandardOutput, requestId, head, content);
            }

            Records.Write(pipe, RecordType.StandardOutput, requestId, []);
            if (!error.IsEmpty)
            {
                Records.Write(pipe, RecordType.StandardError, requestId, error.Span);
                Records.Write(pipe, RecordType.StandardError, requestId, []);
            }

            Records.WriteEnd(pipe, requestId, applicationStatus, ProtocolStatus.RequestComplete);
            if (isLast)
            {
                // The transport closes right behind the last byte, and both travel together: who reads the end of his request finds that of the
                // connection, and sends no further request into it.
                LastBytes.Follow(socket);
                _isOver = true;
                await pipe.CompleteAsync().ConfigureAwait(false);
            }
            else
            {
                await FlushAsync(CancellationToken.None).ConfigureAwait(false);
            }
        }
        finally
        {
            _turn.Release();
        }
    }

    /// <summary>Answers what is not a request, or none that is served.</summary>
    public async ValueTask AnswerAsync<T>(T answer, Action<IBufferWriter<byte>, T> write)
    {
        await _turn.WaitAsync().ConfigureAwait(false);
        try
        {
            if (!_isOver)
            {
                write(pipe, answer);
                await FlushAsync(CancellationToken.None).ConfigureAwait(false);
            }
        }
        finally
        {
            _turn.Release();
        }
    }

    /// <summary>From here on nothing more is written; what waits to be written is dropped. Any thread.</summary>
    public void CutOff() => Volatile.Write(ref _isOver, true);

    public async ValueTask CompleteAsync()
    {
        await _turn.WaitAsync().ConfigureAwait(false);
        try
        {
            _isOver = true;
            await pipe.CompleteAsync().ConfigureAwait(false);
        }
        finally
        {
            _turn.Release();
        }
    }

    private (ReadOnlyMemory<byte> Head, ReadOnlyMemory<byte> Content) WriteOne(
        RecordType type, ushort requestId, ReadOnlyMemory<byte> head, ReadOnlyMemory<byte> content)
    {
        var ofHead = Math.Min(head.Length, RecordHeader.MostContent);
        var ofContent = Math.Min(content.Length, RecordHeader.MostContent - ofHead);
        Records.WriteHeader(pipe, type, requestId, ofHead + ofContent);
        pipe.Write(head.Span[..ofHead]);
        pipe.Write(content.Span[..ofContent]);
        return (head[ofHead..], content[ofContent..]);
    }

    private async ValueTask FlushAsync(CancellationToken cancellationToken)
    {
        try
        {
            var flushed = await pipe.FlushAsync(cancellationToken).ConfigureAwait(false);
            _isOver |= flushed.IsCompleted;
        }
        catch (IOException)
        {
            // The web server is gone: whoever reads finds that too.
            _isOver = true;
        }
    }
}
