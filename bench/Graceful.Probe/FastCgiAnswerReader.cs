using System.Buffers.Binary;
using System.Buffers.Text;
using System.Text;

namespace Graceful.Probe;

// Reads the records of one FastCGI answer. It is complete with END_REQUEST and with nothing else: a web server in front would
// make a 502 of a connection that is closed before it.
internal sealed class FastCgiAnswerReader : IAnswerReader
{
    private const int RecordHead = 8;
    private const byte Version = 1;

    private readonly byte[] record = new byte[RecordHead];
    private readonly byte[] end = new byte[8];
    private byte[] head = [];
    private int headLength;
    private int recordHeadLength;
    private int contentLeft;
    private int paddingLeft;
    private int endLength;
    private long contentLength;
    private long bodyLength;
    private bool headIsRead;

    private enum RecordType : byte
    {
        EndRequest = 3,
        StandardOutput = 6,
        StandardError = 7,
    }

    public int Status { get; private set; }

    public bool KeepAlive { get; private set; }

    // FastCGI has no word for it: the connection is closed after END_REQUEST.
    public bool ToldToClose => false;

    public bool Begun { get; private set; }

    public bool IsHeld => false;

    public bool IsComplete { get; private set; }

    public bool IsMalformed { get; private set; }

    public bool IsTruncated { get; private set; }

    private RecordType Type => (RecordType)record[1];

    public void Reset()
    {
        headLength = 0;
        recordHeadLength = 0;
        contentLeft = 0;
        paddingLeft = 0;
        endLength = 0;
        contentLength = -1;
        bodyLength = 0;
        headIsRead = false;
        Status = 0;
        KeepAlive = true;
        Begun = false;
        IsComplete = false;
        IsMalformed = false;
        IsTruncated = false;
    }

    // Nothing in FastCGI ends with the connection.
    public void End()
    {
    }

    public int Feed(ReadOnlySpan<byte> data)
    {
        Begun |= data.Length > 0;
        int used = 0;
        while (used < data.Length && !IsComplete && !IsMalformed && !IsTruncated)
        {
            ReadOnlySpan<byte> rest = data[used..];
            used += recordHeadLength < RecordHead ? FeedRecordHead(rest)
                : contentLeft > 0 ? FeedContent(rest)
                : FeedPadding(rest);
            if (recordHeadLength == RecordHead && contentLeft == 0 && paddingLeft == 0 && !IsMalformed)
            {
                recordHeadLength = 0;
                EndOfRecord();
            }
        }
        // Bytes beyond the answer: nobody can tell what they belong to, so the connection carries nothing further.
        KeepAlive &= used == data.Length;
        return used;
    }

    private int FeedRecordHead(ReadOnlySpan<byte> data)
    {
        int count = Math.Min(RecordHead - recordHeadLength, data.Length);
        data[..count].CopyTo(record.AsSpan(recordHeadLength));
        recordHeadLength += count;
        if (recordHeadLength == RecordHead)
        {
            contentLeft = BinaryPrimitives.ReadUInt16BigEndian(record.AsSpan(4));
            paddingLeft = record[6];
            bool known = Type is RecordType.EndRequest or RecordType.StandardOutput or RecordType.StandardError;
            IsMalformed = record[0] != Version || !known || BinaryPrimitives.ReadUInt16BigEndian(record.AsSpan(2)) != FastCgiRequest.Id
                || (Type == RecordType.EndRequest && contentLeft != end.Length);
        }
        return count;
    }

    private int FeedContent(ReadOnlySpan<byte> data)
    {
        ReadOnlySpan<byte> content = data[..Math.Min(contentLeft, data.Length)];
        contentLeft -= content.Length;
        if (Type == RecordType.EndRequest)
        {
            content.CopyTo(end.AsSpan(endLength));
            endLength += content.Length;
        }
        else if (Type == RecordType.StandardOutput)
        {
            FeedOutput(content);
        }
        return content.Length;
    }

    private int FeedPadding(ReadOnlySpan<byte> data)
    {
        int count = Math.Min(paddingLeft, data.Length);
        paddingLeft -= count;
        return count;
    }

    private void FeedOutput(ReadOnlySpan<byte> content)
    {
        if (headIsRead)
        {
            bodyLength += content.Length;
            return;
        }
        if (headLength + content.Length > AnswerReader.HeadLimit + ushort.MaxValue)
        {
            IsMalformed = true;
            return;
        }
        Array.Resize(ref head, Math.Max(head.Length, headLength + content.Length));
        content.CopyTo(head.AsSpan(headLength));
        headLength += content.Length;
        ReadOnlySpan<byte> all = head.AsSpan(0, headLength);
        int lines = all.IndexOf("\r\n\r\n"u8), width = 4;
        if (lines < 0)
        {
            (lines, width) = (all.IndexOf("\n\n"u8), 2);
        }
        if (lines >= 0)
        {
            headIsRead = true;
            bodyLength = headLength - lines - width;
            ReadHead(all[..lines]);
        }
    }

    // Header lines as in CGI: `Status:` tells the status, which is 200 without it.
    private void ReadHead(ReadOnlySpan<byte> lines)
    {
        Status = 200;
        foreach (Range range in lines.Split((byte)'\n'))
        {
            ReadOnlySpan<byte> line = lines[range].TrimEnd((byte)'\r');
            int colon = line.IndexOf((byte)':');
            if (colon <= 0)
            {
                IsMalformed = true;
                return;
            }
            ReadOnlySpan<byte> value = line[(colon + 1)..].Trim((byte)' ');
            if (Ascii.EqualsIgnoreCase(line[..colon], "status"u8))
            {
                IsMalformed |= !Utf8Parser.TryParse(value, out int status, out int width) || width != 3 || status < 100;
                Status = status;
            }
            else if (Ascii.EqualsIgnoreCase(line[..colon], "content-length"u8))
            {
                IsMalformed |= !Utf8Parser.TryParse(value, out contentLength, out int read) || read != value.Length || contentLength < 0;
            }
        }
    }

    private void EndOfRecord()
    {
        if (Type != RecordType.EndRequest)
        {
            return;
        }
        byte protocolStatus = end[4];
        if (protocolStatus != 0)
        {
            // Not accepted (1 can't multiplex, 2 overloaded, 3 unknown role): no status of HTTP is so small.
            Status = protocolStatus;
            IsComplete = protocolStatus <= 3;
            IsMalformed = !IsComplete;
        }
        else if (!headIsRead)
        {
            IsMalformed = headLength == 0;
            IsTruncated = headLength > 0;
        }
        else
        {
            IsMalformed = contentLength >= 0 && bodyLength > contentLength;
            IsTruncated = contentLength >= 0 && bodyLength < contentLength && Status is not (204 or 304);
            IsComplete = !IsMalformed && !IsTruncated;
        }
    }
}
