using System.Buffers.Binary;

namespace Graceful.Probe.RudeServer;

// As little HTTP/2 as .NET's client needs, one stream after the other or those of all who share the connection at once.
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
    private static readonly byte[] InternalError = [0, 0, 0, 2];
    private static readonly byte[] RefusedStream = [0, 0, 0, 7];

    private readonly Queue<int> asked = [];
    private readonly List<int> atHand = [];
    private bool greeted;
    private bool acknowledged;

    public override bool ReadRequest(out string path)
    {
        path = "/";
        atHand.Clear();
        return ReadStream();
    }

    public override int Gather(int count)
    {
        while (atHand.Count < count && ReadStream())
        {
        }
        return atHand.Count;
    }

    // A stream that was reset leaves the connection as it is.
    public override bool GoesOn(Act act) => base.GoesOn(act) || act is Act.ResetStream or Act.RefuseStream or Act.TruncateChunked;

    // What is behind the last stream of a GOAWAY was not taken: the client may ask elsewhere, and .NET's does so by itself.
    public override Fate FateOf(Act act) => act is Act.TellToClose or Act.RefuseStream ? Fate.Unprocessed : base.FateOf(act);

    // Garbage is nothing that one stream said: the client gives up all that are open.
    public override Fate FateBehind(Act act) => act switch
    {
        Act.TellToClose or Act.AnswerAndTellToClose => Fate.Unprocessed,
        Act.Garbage => Fate.Malformed,
        _ => Fate.Lost,
    };

    public override byte[]? Words(Act act) => act switch
    {
        Act.AnswerAndTellToClose => [.. Goodbye(atHand.Max()), .. atHand.SelectMany(id => Answer(id))],
        Act.TellToClose => Goodbye(0),
        Act.Garbage => "SSH-2.0-OpenSSH_9.9 is not HTTP\r\n\r\n"u8.ToArray(),
        _ => [.. atHand.SelectMany(id => Words(act, id) ?? [])],
    };

    private bool ReadStream()
    {
        if (!greeted)
        {
            if (ReadAll(PrefaceLength) is null)
            {
                return false;
            }
            Say(Frame(Settings, 0, 0, []));
            greeted = true;
        }
        while (true)
        {
            // Until the client knows that this is HTTP/2 it repeats by itself whatever goes wrong.
            if (acknowledged && asked.TryDequeue(out int id))
            {
                atHand.Add(id);
                return true;
            }
            if (ReadAll(9) is not byte[] head)
            {
                return false;
            }
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
                    Say(Frame(Settings, Ack, 0, []));
                    break;
                case Ping when (head[4] & Ack) == 0:
                    Say(Frame(Ping, Ack, 0, payload));
                    break;
                case GoAway when !Ended:
                    return false;
                case Headers:
                    asked.Enqueue(BinaryPrimitives.ReadInt32BigEndian(head.AsSpan(5)));
                    break;
            }
        }
    }

    private static byte[]? Words(Act act, int id) => act switch
    {
        Act.Answer or Act.AnswerThenFin or Act.AnswerThenReset => Answer(id),
        Act.AnswerChunked => [.. Head(id), .. Frame(Data, 0, id, "hel"u8), .. Frame(Data, 0, id, "lo"u8), .. Frame(Data, EndStream, id, [])],
        Act.ResetStream => Frame(ResetStream, 0, id, InternalError),
        Act.RefuseStream => Frame(ResetStream, 0, id, RefusedStream),
        Act.TruncateLength => [.. Head(id), .. Frame(Data, 0, id, "hel"u8)],
        Act.TruncateChunked => [.. Head(id), .. Frame(Data, 0, id, "hello"u8), .. Frame(ResetStream, 0, id, InternalError)],
        // Ends in order, but not with as much as it said.
        Act.ShortBody => [.. Frame(Headers, EndHeaders, id, [Status200, 0x0f, 0x0d, 1, (byte)'5']), .. Frame(Data, EndStream, id, "hel"u8)],
        Act.Status503 => Frame(Headers, EndHeaders | EndStream, id, [0x08, 3, (byte)'5', (byte)'0', (byte)'3']),
        _ => null,
    };

    private static byte[] Answer(int id) => [.. Head(id), .. Frame(Data, EndStream, id, "hello"u8)];

    private static byte[] Head(int id) => Frame(Headers, EndHeaders, id, [Status200]);

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
