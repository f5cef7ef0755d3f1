namespace Graceful.Probe.RudeServer;

// One connection in the protocol that the clients speak: reads their requests, and says the words of each act.
internal abstract class Dialect(Stream stream)
{
    protected Stream Stream => stream;

    public static Dialect Of(string protocol, Stream stream) => protocol switch
    {
        "fastcgi" => new FastCgiDialect(stream),
        "websocket" => new WebSocketDialect(stream),
        "http2" => new Http2Dialect(stream),
        "sse" => new SseDialect(stream),
        _ => new Http1Dialect(stream),
    };

    // The server has ended its side: it reads on, and says nothing more.
    public bool Ended { get; set; }

    // False when the client has gone, or left in good order.
    public abstract bool ReadRequest(out string path);

    // Writes what the act says; null for an act that this protocol has no words for.
    public abstract byte[]? Words(Act act);

    // What the act makes of a request that was read to its end.
    public virtual Fate FateOf(Act act) => act switch
    {
        Act.Status503 or Act.Overloaded => Fate.OtherStatus,
        Act.TruncateLength or Act.TruncateChunked or Act.ShortBody => Fate.Truncated,
        Act.Garbage => Fate.Malformed,
        Act.Never => Fate.Unanswered,
        Act.Reset or Act.Fin or Act.ResetStream or Act.CloseWithError or Act.TellToCloseLate => Fate.Lost,
        _ => Fate.Ok,
    };

    // What becomes of one that is read behind the act that ended the connection, and so never answered.
    public virtual Fate FateBehind(Act act) => Fate.Lost;

    // Where a connection carries several requests at once, reads on until so many are at hand: the next act is for all of them. Returns
    // how many those are.
    public virtual int Gather(int count) => 1;

    // Whether the connection goes on after the act.
    public virtual bool GoesOn(Act act) => act is Act.Answer or Act.AnswerChunked;

    protected void Say(ReadOnlySpan<byte> bytes)
    {
        if (!Ended)
        {
            stream.Write(bytes);
        }
    }

    protected byte[]? ReadAll(int count)
    {
        var bytes = new byte[count];
        return stream.ReadAtLeast(bytes, count, throwOnEndOfStream: false) == count ? bytes : null;
    }

    // The head of an HTTP/1 request; empty when the client has gone.
    protected string ReadHead()
    {
        var head = new byte[8192];
        int length = 0;
        while (!head.AsSpan(0, length).EndsWith("\r\n\r\n"u8))
        {
            int count = stream.Read(head, length, head.Length - length);
            if (count == 0)
            {
                return "";
            }
            length += count;
        }
        return System.Text.Encoding.ASCII.GetString(head, 0, length);
    }
}
