using System.Buffers.Binary;
using System.Text;

namespace Graceful.Probe.RudeServer;

internal sealed class FastCgiDialect(Stream stream) : Dialect(stream)
{
    private const byte Begin = 1;
    private const byte EndRequest = 3;
    private const byte Parameters = 4;
    private const byte StandardInput = 5;
    private const byte Output = 6;
    private const byte Error = 7;
    private const string Head = "Content-Type: text/plain\r\nContent-Length: 5\r\n\r\n";
    private static readonly byte[] End = Record(EndRequest, [0, 0, 0, 0, 0, 0, 0, 0], padding: 0);

    private bool keep;

    public override bool ReadRequest(out string path)
    {
        var parameters = new MemoryStream();
        path = "";
        while (ReadAll(8) is byte[] head)
        {
            int length = BinaryPrimitives.ReadUInt16BigEndian(head.AsSpan(4));
            byte[]? content = ReadAll(length + head[6]);
            if (content is null)
            {
                return false;
            }
            switch (head[1])
            {
                case Begin:
                    keep = (content[2] & 1) != 0;
                    break;
                case Parameters:
                    parameters.Write(content, 0, length);
                    break;
                case StandardInput when length == 0:
                    path = Value(parameters.ToArray(), "REQUEST_URI");
                    return true;
            }
        }
        return false;
    }

    // There is no word for a connection that is not kept after all, so in these it is.
    public override bool GoesOn(Act act) => keep && (base.GoesOn(act) || act is Act.Status503 or Act.Overloaded);

    public override byte[]? Words(Act act) => act switch
    {
        Act.Answer or Act.AnswerThenFin or Act.AnswerThenReset or Act.AnswerAndTellToClose => [.. Text(Head + "hello"), .. Record(Output, [], 0), .. End],
        // In many records, with padding, and something on the error stream.
        Act.AnswerChunked =>
            [.. Text("Status: 200 OK\r\nContent-Type: text/"), .. Record(Error, "never mind"u8, 6), .. Text("plain\r\n\r\nhel"), .. Text("lo"), .. End],
        Act.TruncateLength => Text(Head + "hello"),
        Act.TruncateChunked => [.. Text(Head), .. Text("hello")[..^5]],
        Act.ShortBody => [.. Text(Head + "hel"), .. End],
        Act.Garbage => Encoding.ASCII.GetBytes("HTTP/1.1 200 OK\r\n\r\n"),
        Act.Status503 => [.. Text("Status: 503 Service Unavailable\r\n\r\n"), .. End],
        Act.Overloaded => Record(EndRequest, [0, 0, 0, 0, 2, 0, 0, 0], 0),
        _ => null,
    };

    private static byte[] Text(string text) => Record(Output, Encoding.ASCII.GetBytes(text), padding: (byte)(text.Length % 8));

    private static byte[] Record(byte type, ReadOnlySpan<byte> content, byte padding)
    {
        byte[] head = [1, type, 0, 1, 0, 0, padding, 0];
        BinaryPrimitives.WriteUInt16BigEndian(head.AsSpan(4), (ushort)content.Length);
        return [.. head, .. content, .. new byte[padding]];
    }

    private static string Value(ReadOnlySpan<byte> pairs, string wanted)
    {
        while (pairs.Length > 0)
        {
            int name = Length(ref pairs), value = Length(ref pairs);
            if (Encoding.ASCII.GetString(pairs[..name]) == wanted)
            {
                return Encoding.ASCII.GetString(pairs.Slice(name, value));
            }
            pairs = pairs[(name + value)..];
        }
        return "/";
    }

    private static int Length(ref ReadOnlySpan<byte> pairs)
    {
        bool isLong = pairs[0] >= 128;
        int length = isLong ? (int)(BinaryPrimitives.ReadUInt32BigEndian(pairs) & 0x7fff_ffff) : pairs[0];
        pairs = pairs[(isLong ? 4 : 1)..];
        return length;
    }
}
