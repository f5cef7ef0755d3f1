using System.Buffers.Binary;
using System.Runtime.InteropServices;

namespace Graceful.Probe;

// Takes what passes in one direction of an HTTP/2 connection apart into its frames, whatever pieces it comes in.
internal sealed class Http2Frames(int preface)
{
    public const byte Data = 0;
    public const byte Headers = 1;
    public const byte ResetStream = 3;
    public const byte GoAway = 7;
    public const byte EndStream = 1;
    public const int RefusedStream = 7;

    private const int HeadLength = 9;

    // Nobody has allowed the peer more.
    private const int PayloadLimit = 16 * 1024;

    private readonly byte[] head = new byte[HeadLength];
    private readonly List<byte> payload = [];
    private int toSkip = preface;
    private int headLength;
    private int payloadLeft;

    public byte Type => head[3];

    public bool EndsStream => Type is Data or Headers && (head[4] & EndStream) != 0;

    public int Stream => BinaryPrimitives.ReadInt32BigEndian(head.AsSpan(5)) & int.MaxValue;

    // Of every frame but DATA.
    public ReadOnlySpan<byte> Payload => CollectionsMarshal.AsSpan(payload);

    // What the payload begins with, the last stream of a GOAWAY or the error of a RST_STREAM; null when it is too short for either.
    public int? FirstNumber => payload.Count < sizeof(int) ? null : BinaryPrimitives.ReadInt32BigEndian(Payload) & int.MaxValue;

    // What came is not HTTP/2.
    public bool IsTooLong => headLength == HeadLength && payloadLeft > PayloadLimit;

    // True when another frame is whole; false when the data is used up.
    public bool Next(ref ReadOnlySpan<byte> data)
    {
        Take(ref data, ref toSkip);
        if (headLength == HeadLength && payloadLeft == 0)
        {
            headLength = 0;
            payload.Clear();
        }
        while (headLength < HeadLength)
        {
            if (data.Length == 0)
            {
                return false;
            }
            head[headLength++] = data[0];
            data = data[1..];
            payloadLeft = (head[0] << 16) | (head[1] << 8) | head[2];
        }
        ReadOnlySpan<byte> part = Take(ref data, ref payloadLeft);
        if (Type != Data)
        {
            payload.AddRange(part);
        }
        return payloadLeft == 0;
    }

    private static ReadOnlySpan<byte> Take(ref ReadOnlySpan<byte> data, ref int left)
    {
        ReadOnlySpan<byte> part = data[..Math.Min(left, data.Length)];
        data = data[part.Length..];
        left -= part.Length;
        return part;
    }
}
