using System.Buffers;
using System.Buffers.Binary;

namespace Graceful.FastCgi;

/// <summary>Writes whole records.</summary>
internal static class Records
{
    private const int BodyOfEnd = 8;

    /// <param name="into">Where to.</param>
    /// <param name="type">What it is.</param>
    /// <param name="requestId">The request it belongs to; 0 for the connection itself.</param>
    /// <param name="content">At most 65,535 bytes; none ends a stream.</param>
    public static void Write(IBufferWriter<byte> into, RecordType type, ushort requestId, ReadOnlySpan<byte> content)
    {
        WriteHeader(into, type, requestId, content.Length);
        into.Write(content);
    }

    /// <summary>A record whose content follows.</summary>
    public static void WriteHeader(IBufferWriter<byte> into, RecordType type, ushort requestId, int contentLength)
    {
        new RecordHeader(RecordHeader.Version1, type, requestId, contentLength, PaddingLength: 0).Write(into.GetSpan(RecordHeader.Size));
        into.Advance(RecordHeader.Size);
    }

    public static void WriteEnd(IBufferWriter<byte> into, ushort requestId, int applicationStatus, ProtocolStatus status)
    {
        Span<byte> body = stackalloc byte[BodyOfEnd];
        body.Clear();
        BinaryPrimitives.WriteInt32BigEndian(body, applicationStatus);
        body[4] = (byte)status;
        Write(into, RecordType.EndRequest, requestId, body);
    }

    /// <summary>One name-value pair, both shorter than 128 bytes.</summary>
    public static void WriteShortPair(IBufferWriter<byte> into, ReadOnlySpan<byte> name, ReadOnlySpan<byte> value)
    {
        into.Write([(byte)name.Length, (byte)value.Length]);
        into.Write(name);
        into.Write(value);
    }
}
