namespace Graceful.Probe.RudeServer;

// Streams of one or two records; each has its connection to itself.
internal sealed class SseDialect(Stream stream) : Http1Dialect(stream)
{
    private const string Head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";
    private const string Record = "9\r\ndata: 1\n\n\r\n";
    private const string End = "0\r\n\r\n";

    public override bool GoesOn(Act act) => false;

    protected override string? Text(Act act) => act switch
    {
        Act.Answer or Act.AnswerAndTellToClose => Head + Record + "6\r\n: bye\n\r\n1\r\n\n\r\n" + End,
        // The head and a record now, the end when the clients' patience with answers is long over.
        Act.HoldLong => Head + Record,
        Act.EndOfHold => End,
        Act.TruncateChunked => Head + Record,
        Act.TruncateLength => Head + Record + "8\r\ndata: 2\n\r\n" + End,
        Act.Garbage or Act.Status503 => base.Text(act),
        _ => null,
    };
}
