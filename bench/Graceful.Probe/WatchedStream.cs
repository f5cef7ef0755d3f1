namespace Graceful.Probe;

// What passes on one HTTP/2 connection, looked at for what HttpClient keeps to itself: which requests have left, how far their answers
// have come, a GOAWAY, and the end.
internal sealed class WatchedStream(Stream inner, Http2Channel channel) : Stream
{
    private const int PrefaceLength = 24;

    private readonly Lock gate = new();
    private readonly Http2Frames read = new(preface: 0);
    private readonly Http2Frames written = new(PrefaceLength);
    private readonly Dictionary<int, (Exchange Exchange, Task<bool> Sent)> open = [];
    private int lastTaken = int.MaxValue;
    private bool carried;
    private bool toldBusy;
    private volatile bool hasAnswered;
    private bool hasEnded;

    // An answer has come to its end here, as the frames have it.
    public bool HasAnswered => hasAnswered;

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
            LookAtRead(buffer.Span[..count]);
            return count;
        }
        catch (IOException)
        {
            End(reset: true);
            throw;
        }
    }

    public override async ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
    {
        // Told before the write, since the answer may be quicker than its end; but a write that fails takes nothing along. Who waits to know
        // counts at once, so that nothing is counted behind the end of the run.
        var sent = new TaskCompletionSource<bool>();
        try
        {
            LookAtWritten(buffer.Span, sent.Task);
            await inner.WriteAsync(buffer, cancellationToken);
            sent.SetResult(true);
        }
        finally
        {
            sent.TrySetResult(false);
        }
    }

    public override Task FlushAsync(CancellationToken cancellationToken) => inner.FlushAsync(cancellationToken);

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

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
        lock (gate)
        {
            if (!hasEnded)
            {
                hasEnded = true;
                channel.Ended(reset, carried, wasIdle: carried && open.Count == 0 && !toldBusy);
            }
        }
    }

    private void LookAtWritten(ReadOnlySpan<byte> data, Task<bool> sent)
    {
        lock (gate)
        {
            if (hasEnded)
            {
                // HttpClient would still send what it has in its buffer, and has told its callers that it is lost or never was sent.
                throw new IOException("the connection has ended");
            }
            while (written.Next(ref data))
            {
                switch (written.Type)
                {
                    case Http2Frames.Headers when channel.Find(written.Payload) is Exchange exchange:
                        carried = true;
                        if (written.Stream > lastTaken)
                        {
                            // HttpClient had it in its buffer when the GOAWAY came, and may have repeated it elsewhere by now.
                            channel.Declined(sent);
                            break;
                        }
                        exchange.SendOn(this, sent);
                        open[written.Stream] = (exchange, sent);
                        break;
                    case Http2Frames.ResetStream:
                        open.Remove(written.Stream);
                        break;
                }
            }
        }
    }

    private void LookAtRead(ReadOnlySpan<byte> data)
    {
        lock (gate)
        {
            while (read.Next(ref data))
            {
                switch (read.Type)
                {
                    case Http2Frames.GoAway when read.FirstNumber is int last:
                        GoAway(last);
                        break;
                    case Http2Frames.ResetStream when read.FirstNumber == Http2Frames.RefusedStream:
                        Decline(read.Stream);
                        break;
                    case Http2Frames.ResetStream when open.Remove(read.Stream, out (Exchange Exchange, Task<bool>) stream):
                        stream.Exchange.Reset(hasAnswered);
                        break;
                    case Http2Frames.Headers or Http2Frames.Data when open.TryGetValue(read.Stream, out (Exchange Exchange, Task<bool>) stream):
                        stream.Exchange.HasBegun = true;
                        if (read.EndsStream)
                        {
                            hasAnswered = true;
                            open.Remove(read.Stream);
                        }
                        break;
                }
            }
            if (read.IsTooLong)
            {
                // HttpClient gives up the whole connection, and what a write says of it may be quicker than why.
                foreach ((Exchange exchange, _) in open.Values)
                {
                    exchange.IsMalformed = true;
                }
                End(reset: false);
            }
        }
    }

    private void GoAway(int last)
    {
        if (lastTaken == int.MaxValue)
        {
            toldBusy = open.Count > 0;
            channel.Told();
        }
        // A server in order first says that it goes and takes everything that is on its way, and then what was the last.
        lastTaken = Math.Min(lastTaken, last);
        foreach (int stream in open.Keys.Where(stream => stream > last).ToArray())
        {
            Decline(stream);
        }
    }

    private void Decline(int stream)
    {
        if (open.Remove(stream, out (Exchange Exchange, Task<bool> Sent) declined))
        {
            declined.Exchange.Decline();
            channel.Declined(declined.Sent);
        }
    }
}
