using System.Text;

namespace Graceful.Probe.RudeServer;

internal class Http1Dialect(Stream stream) : Dialect(stream)
{
    public override bool ReadRequest(out string path)
    {
        string head = ReadHead();
        path = head == "" ? "" : head.Split(' ')[1];
        return head != "";
    }

    public sealed override byte[]? Words(Act act) => Text(act) is string text ? Encoding.ASCII.GetBytes(text) : null;

    protected virtual string? Text(Act act) => act switch
    {
        Act.Answer or Act.AnswerThenFin or Act.AnswerThenReset => "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
        Act.AnswerChunked => "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2;x=y\r\nlo\r\n0\r\nA: b\r\n\r\n",
        Act.AnswerUntilClose => "HTTP/1.0 200 OK\r\n\r\nhello",
        Act.AnswerAndTellToClose => "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello",
        Act.TruncateLength => "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel",
        Act.TruncateChunked => "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
        Act.Garbage => "SSH-2.0-OpenSSH_9.9 is not HTTP\r\n\r\n",
        Act.Status503 => "HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
        _ => null,
    };
}
