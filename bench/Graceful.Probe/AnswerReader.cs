using System.Buffers.Text;
using System.Text;

namespace Graceful.Probe;

// Reads one HTTP/1.x answer from whatever pieces it arrives in, keeping nothing of it but how far it has come.
internal sealed class AnswerReader : IAnswerReader
{
    // A head longer than this is no answer that any client would take.
    public const int HeadLimit = 32 * 1024;

    private enum Part
    {
        Head,
        Counted,
        UntilClose,
        ChunkSize,
        ChunkExtension,
        ChunkData,
        ChunkEnd,
        Trailer,
        Complete,
        Malformed,
    }

    private Part part;
    private byte[] head = [];
    private int headLength;
    private long left;
    private int digits;
    private int trailerLine;

    // Who else reads the body, without its framing.
    public RecordEnds? Body { get; init; }

    public int Status { get; private set; }

    // Whether the connection may carry another request after this answer.
    public bool KeepAlive { get; private set; }

    public bool ToldToClose { get; private set; }

    public bool Begun { get; private set; }

    public bool IsComplete => part == Part.Complete;

    public bool IsMalformed => part == Part.Malformed;

    public bool IsHeld => false;

    public bool IsTruncated => false;

    public void Reset()
    {
        part = Part.Head;
        headLength = 0;
        left = 0;
        digits = 0;
        trailerLine = 0;
        Status = 0;
        KeepAlive = true;
        ToldToClose = false;
        Begun = false;
    }

    // The peer has closed its side in good order: that is how an answer without a length ends.
    public void End()
    {
        if (part == Part.UntilClose)
        {
            part = Part.Complete;
        }
    }

    // Returns how many bytes belonged to this answer.
    public int Feed(ReadOnlySpan<byte> data)
    {
        Begun |= data.Length > 0;
        int used = 0;
        while (used < data.Length && part < Part.Complete)
        {
            ReadOnlySpan<byte> rest = data[used..];
            used += part switch
            {
                Part.Head => FeedHead(rest),
                Part.Counted or Part.ChunkData => FeedCounted(rest),
                Part.UntilClose => FeedUntilClose(rest),
                _ => FeedByte(rest[0]),
            };
        }
        // Bytes beyond the answer: nobody can tell what they belong to, so the connection carries nothing further.
        KeepAlive &= used == data.Length;
        return used;
    }

    private int FeedHead(ReadOnlySpan<byte> data)
    {
        if (headLength == 0)
        {
            // The usual case: the whole head in one piece, read in place.
            int end = data.IndexOf("\r\n\r\n"u8);
            if (end >= 0)
            {
                ParseHead(data[..(end + 2)]);
                return end + 4;
            }
        }
        int room = Math.Min(data.Length, HeadLimit - headLength);
        if (head.Length < headLength + room)
        {
            Array.Resize(ref head, Math.Max(1024, headLength + room));
        }
        data[..room].CopyTo(head.AsSpan(headLength));
        int from = Math.Max(0, headLength - 3);
        int found = head.AsSpan(from, headLength + room - from).IndexOf("\r\n\r\n"u8);
        if (found >= 0)
        {
            int length = from + found + 4;
            int used = length - headLength;
            headLength = 0;
            ParseHead(head.AsSpan(0, length - 2));
            return used;
        }
        headLength += room;
        if (headLength == HeadLimit)
        {
            part = Part.Malformed;
        }
        return room;
    }

    // `text` holds the status line and the header lines, each with its CRLF.
    private void ParseHead(ReadOnlySpan<byte> text)
    {
        int lineEnd = text.IndexOf("\r\n"u8);
        ReadOnlySpan<byte> line = text[..lineEnd];
        if (line.Length < 12 || !line.StartsWith("HTTP/1."u8) || line[8] != ' '
            || !Utf8Parser.TryParse(line.Slice(9, 3), out int status, out int width) || width != 3 || status < 100)
        {
            part = Part.Malformed;
            return;
        }
        bool close = false, keepAlive = line[7] != '0', chunked = false;
        long length = -1;
        for (text = text[(lineEnd + 2)..]; text.Length > 0; text = text[(lineEnd + 2)..])
        {
            lineEnd = text.IndexOf("\r\n"u8);
            line = text[..lineEnd];
            int colon = line.IndexOf((byte)':');
            if (colon <= 0)
            {
                part = Part.Malformed;
                return;
            }
            ReadOnlySpan<byte> value = line[(colon + 1)..].Trim((byte)' ').Trim((byte)'\t');
            switch (colon)
            {
                case 14 when Ascii.EqualsIgnoreCase(line[..colon], "content-length"u8):
                    if (!Utf8Parser.TryParse(value, out length, out int read) || read != value.Length || length < 0)
                    {
                        part = Part.Malformed;
                        return;
                    }
                    break;
                case 17 when Ascii.EqualsIgnoreCase(line[..colon], "transfer-encoding"u8):
                    chunked = HasToken(value, "chunked"u8);
                    break;
                case 10 when Ascii.EqualsIgnoreCase(line[..colon], "connection"u8):
                    close |= HasToken(value, "close"u8);
                    keepAlive |= HasToken(value, "keep-alive"u8);
                    break;
            }
        }
        if (status is >= 100 and < 200 and not 101)
        {
            // An interim answer (100 Continue, 103 Early Hints): the real one follows.
            return;
        }
        Status = status;
        ToldToClose = close;
        KeepAlive = keepAlive && !close;
        left = Math.Max(0, length);
        part = status is 101 or 204 or 304 ? Part.Complete
            : chunked ? Part.ChunkSize
            : length == 0 ? Part.Complete
            : length > 0 ? Part.Counted
            : Part.UntilClose;
        if (part == Part.UntilClose)
        {
            KeepAlive = false;
        }
    }

    private int FeedCounted(ReadOnlySpan<byte> data)
    {
        int used = (int)Math.Min(left, data.Length);
        Body?.Feed(data[..used]);
        left -= used;
        if (left == 0)
        {
            part = part == Part.Counted ? Part.Complete : Part.ChunkEnd;
        }
        return used;
    }

    private int FeedUntilClose(ReadOnlySpan<byte> data)
    {
        Body?.Feed(data);
        return data.Length;
    }

    // The framing of a chunked body, byte by byte; it is short.
    private int FeedByte(byte b)
    {
        switch (part)
        {
            case Part.ChunkSize or Part.ChunkExtension when b == '\n':
                EndOfChunkSize();
                break;
            case Part.ChunkExtension:
                break;
            case Part.ChunkSize when char.IsAsciiHexDigit((char)b) && digits < 15:
                left = (left << 4) + (b <= (byte)'9' ? b - '0' : (b | 0x20) - 'a' + 10);
                digits++;
                break;
            case Part.ChunkSize when b is (byte)';' or (byte)' ' or (byte)'\r' && digits > 0:
                part = Part.ChunkExtension;
                break;
            case Part.ChunkEnd when b == '\n':
                part = Part.ChunkSize;
                left = 0;
                digits = 0;
                break;
            case Part.ChunkEnd when b == '\r':
                break;
            case Part.Trailer when b == '\n':
                part = trailerLine == 0 ? Part.Complete : Part.Trailer;
                trailerLine = 0;
                break;
            case Part.Trailer:
                trailerLine += b == '\r' ? 0 : 1;
                break;
            default:
                part = Part.Malformed;
                break;
        }
        return 1;
    }

    private void EndOfChunkSize()
    {
        part = digits == 0 ? Part.Malformed : left == 0 ? Part.Trailer : Part.ChunkData;
        trailerLine = 0;
    }

    private static bool HasToken(ReadOnlySpan<byte> list, ReadOnlySpan<byte> token)
    {
        while (true)
        {
            int comma = list.IndexOf((byte)',');
            ReadOnlySpan<byte> item = (comma < 0 ? list : list[..comma]).Trim((byte)' ');
            if (Ascii.EqualsIgnoreCase(item, token))
            {
                return true;
            }
            if (comma < 0)
            {
                return false;
            }
            list = list[(comma + 1)..];
        }
    }
}
