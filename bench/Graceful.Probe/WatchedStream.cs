namespace Graceful.Probe;

// What HttpClient reads on one HTTP/2 connection, looked at for two things that it keeps to itself: a GOAWAY, and the end.
internal sealed class WatchedStream(Stream inner, Action told, Action<bool> ended) : Stream
{
    private const int FrameHead = 9;
    private const byte GoAway = 7;

    private readonly byte[] head = new byte[FrameHead];
    private int headLength;
    private int payloadLeft;
    private bool wasTold;
    private int hasEnded;

    public override bool CanRead => true;

    public override bool CanWrite => true;

    public override bool CanSeek => false;

    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        try
        {
            int count = await inner.ReadAsync(buffer, cancellationToken);
            if (count == 0 && buffer.Length > 0)
            {
                End(reset: false);
            }
            Look(buffer.Span[..count]);
            return count;
        }
        catch (IOException)
        {
            End(reset: true);
            throw;
        }
    }

    public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default) =>
        inner.WriteAsync(buffer, cancellationToken);

    public override Task FlushAsync(CancellationToken cancellationToken) => inner.FlushAsync(cancellationToken);

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => inner.Write(buffer, offset, count);

    public override void Flush() => inner.Flush();

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    // A client that was told leaves by itself, before the server does.
    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            End(reset: false);
            inner.Dispose();
        }
        base.Dispose(disposing);
    }

    private void End(bool reset)
    {
        if (Interlocked.Exchange(ref hasEnded, 1) == 0)
        {
            ended(reset);
        }
    }

    private void Look(ReadOnlySpan<byte> data)
    {
        while (data.Length > 0 && !wasTold)
        {
            if (payloadLeft > 0)
            {
                int skipped = Math.Min(payloadLeft, data.Length);
                payloadLeft -= skipped;
                data = data[skipped..];
                continue;
            }
            head[headLength++] = data[0];
            data = data[1..];
            if (headLength == FrameHead)
            {
                headLength = 0;
                payloadLeft = (head[0] << 16) | (head[1] << 8) | head[2];
                wasTold = head[3] == GoAway;
            }
        }
        if (wasTold && Interlocked.Exchange(ref told, null!) is Action tell)
        {
            tell();
        }
    }
}
