using System.Buffers.Binary;

namespace Graceful.Probe.RudeServer;

// As little HTTP/2 as .NET's client needs, one stream after the other.
internal sealed class Http2Dialect(Stream stream) : Dialect(stream)
{
    private const int PrefaceLength = 24;
    private const byte Data = 0;
    private const byte Headers = 1;
    private const byte ResetStream = 3;
    private const byte Settings = 4;
    private const byte Ping = 6;
    private const byte GoAway = 7;
    private const byte EndStream = 1;
    private const byte Ack = 1;
    private const byte EndHeaders = 4;
    private const byte Status200 = 0x88;

    private bool greeted;
    private bool acknowledged;
    private int asked;
    private int id;

    public override bool ReadRequest(out string path)
    {
        path = "/";
        if (!greeted)
        {
            if (ReadAll(PrefaceLength) is null)
            {
                return false;
            }
            Stream.Write(Frame(Settings, 0, 0, []));
            greeted = true;
        }
        while (ReadAll(9) is byte[] head)
        {
            byte[]? payload = ReadAll((head[0] << 16) | (head[1] << 8) | head[2]);
            if (payload is null)
            {
                return false;
            }
            switch (head[3])
            {
                case Settings when (head[4] & Ack) != 0:
                    acknowledged = true;
                    break;
                case Settings:
                    Stream.Write(Frame(Settings, Ack, 0, []));
                    break;
                case Ping when (head[4] & Ack) == 0:
                    Stream.Write(Frame(Ping, Ack, 0, payload));
                    break;
                case GoAway:
                    return false;
                case Headers:
                    asked = BinaryPrimitives.ReadInt32BigEndian(head.AsSpan(5));
                    break;
            }
            // Until the client knows that this is HTTP/2 it repeats by itself whatever goes wrong.
            if (asked != 0 && acknowledged)
            {
                (id, asked) = (asked, 0);
                return true;
            }
        }
        return false;
    }

    // A stream that was reset leaves the connection as it is.
    public override bool GoesOn(Act act) => base.GoesOn(act) || act is Act.ResetStream or Act.TruncateChunked;

    public override byte[]? Words(Act act) => act switch
    {
        Act.Answer or Act.AnswerThenFin or Act.AnswerThenReset => [.. Head, .. Frame(Data, EndStream, id, "hello"u8)],
        Act.AnswerChunked => [.. Head, .. Frame(Data, 0, id, "hel"u8), .. Frame(Data, 0, id, "lo"u8), .. Frame(Data, EndStream, id, [])],
        Act.AnswerAndTellToClose => [.. Goodbye(id), .. Head, .. Frame(Data, EndStream, id, "hello"u8)],
        // Not taken: the client may ask elsewhere, and .NET's does so by itself.
        Act.TellToClose => Goodbye(0),
        Act.ResetStream => Frame(ResetStream, 0, id, [0, 0, 0, 2]),
        Act.TruncateLength => [.. Head, .. Frame(Data, 0, id, "hel"u8)],
        Act.TruncateChunked => [.. Head, .. Frame(Data, 0, id, "hello"u8), .. Frame(ResetStream, 0, id, [0, 0, 0, 2])],
        // Ends in order, but not with as much as it said.
        Act.ShortBody => [.. Frame(Headers, EndHeaders, id, [Status200, 0x0f, 0x0d, 1, (byte)'5']), .. Frame(Data, EndStream, id, "hel"u8)],
        Act.Garbage => "SSH-2.0-OpenSSH_9.9 is not HTTP\r\n\r\n"u8.ToArray(),
        Act.Status503 => Frame(Headers, EndHeaders | EndStream, id, [0x08, 3, (byte)'5', (byte)'0', (byte)'3']),
        _ => null,
    };

    private byte[] Head => Frame(Headers, EndHeaders, id, [Status200]);

    private static byte[] Goodbye(int last)
    {
        var payload = new byte[8];
        BinaryPrimitives.WriteInt32BigEndian(payload, last);
        return Frame(GoAway, 0, 0, payload);
    }

    private static byte[] Frame(byte type, byte flags, int id, ReadOnlySpan<byte> payload)
    {
        byte[] head = [0, 0, (byte)payload.Length, type, flags, 0, 0, 0, 0];
        BinaryPrimitives.WriteInt32BigEndian(head.AsSpan(5), id);
        return [.. head, .. payload];
    }
}
