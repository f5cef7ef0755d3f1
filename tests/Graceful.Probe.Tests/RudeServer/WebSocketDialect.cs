using System.Security.Cryptography;
using System.Text;

namespace Graceful.Probe.RudeServer;

// An echo; a request is a message.
internal sealed class WebSocketDialect(Stream stream) : Dialect(stream)
{
    private static readonly byte[] GoingAway = [0x88, 2, 3, 233];

    private string path = "";
    private byte[] message = [];

    public override bool ReadRequest(out string path)
    {
        path = this.path;
        if (path == "")
        {
            string head = ReadHead();
            if (head == "")
            {
                return false;
            }
            path = this.path = head.Split(' ')[1];
            Upgrade(head);
        }
        while (ReadAll(2) is byte[] head)
        {
            // A masked frame of at most 125 bytes, as the probe's are.
            byte[]? mask = ReadAll(4), payload = ReadAll(head[1] & 0x7f);
            if (mask is null || payload is null)
            {
                return false;
            }
            message = [.. payload.Select((b, i) => (byte)(b ^ mask[i % 4]))];
            switch (head[0] & 0x0f)
            {
                case 1 or 2:
                    return true;
                case 8 when !Ended:
                    Say([0x88, (byte)message.Length, .. message]);
                    return false;
            }
        }
        return false;
    }

    public override Fate FateOf(Act act) => act == Act.TellToClose ? Fate.Crossed : base.FateOf(act);

    public override Fate FateBehind(Act act) => act is Act.TellToClose or Act.AnswerAndTellToClose ? Fate.Crossed : Fate.Lost;

    public override byte[]? Words(Act act) => act switch
    {
        Act.Answer or Act.AnswerThenFin or Act.AnswerThenReset => Text(message),
        // In two fragments, with a ping between them.
        Act.AnswerChunked => [0x01, 3, .. message[..3], 0x89, 1, (byte)'?', 0x80, (byte)(message.Length - 3), .. message[3..]],
        Act.AnswerAndTellToClose => [.. Text(message), .. GoingAway],
        Act.TellToClose or Act.TellToCloseLate => GoingAway,
        Act.CloseWithError => [0x88, 2, 3, 243],
        Act.TruncateLength => Text(message)[..^2],
        Act.TruncateChunked => [0x01, 3, .. message[..3], .. GoingAway],
        Act.Garbage => [0x8b, 0],
        _ => null,
    };

    private static byte[] Text(byte[] message) => [0x81, (byte)message.Length, .. message];

#pragma warning disable CA5350 // The handshake of RFC 6455 is so; it protects nothing.
    private void Upgrade(string head)
    {
        const string Name = "Sec-WebSocket-Key: ";
        string key = head.Split("\r\n").Single(line => line.StartsWith(Name, StringComparison.Ordinal))[Name.Length..];
        string accept = Convert.ToBase64String(SHA1.HashData(Encoding.ASCII.GetBytes(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11")));
        Say(Encoding.ASCII.GetBytes(
            $"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: {accept}\r\n\r\n"));
    }
#pragma warning restore CA5350
}
