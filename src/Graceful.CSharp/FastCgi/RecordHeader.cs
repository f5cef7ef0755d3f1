using System.Buffers;
using System.Buffers.Binary;

namespace Graceful.FastCgi;

/// <summary>The first eight bytes of a record.</summary>
/// <param name="Version">1, or nothing that follows can be trusted.</param>
/// <param name="Type">What it is; it may be none that we know.</param>
/// <param name="RequestId">The request that it belongs to; 0 for the connection itself.</param>
/// <param name="ContentLength">How many bytes of content follow.</param>
/// <param name="PaddingLength">How many bytes follow the content and mean nothing.</param>
internal readonly record struct RecordHeader(byte Version, RecordType Type, ushort RequestId, int ContentLength, int PaddingLength)
{
    public const int Size = 8;

    /// <summary>The only version there is.</summary>
    public const byte Version1 = 1;

    /// <summary>The longest content that is a multiple of eight: so nothing needs padding but the end of a stream.</summary>
    public const int MostContent = 65528;

    /// <summary>Reads a header off the front of what came.</summary>
    /// <returns>False when there is not a whole one yet; then nothing is taken.</returns>
    public static bool TryRead(ref ReadOnlySequence<byte> bytes, out RecordHeader header)
    {
        if (bytes.Length < Size)
        {
            header = default;
            return false;
        }

        Span<byte> first = stackalloc byte[Size];
        bytes.Slice(0, Size).CopyTo(first);
        header = new RecordHeader(
            first[0],
            (RecordType)first[1],
            BinaryPrimitives.ReadUInt16BigEndian(first[2..]),
            BinaryPrimitives.ReadUInt16BigEndian(first[4..]),
            first[6]);
        bytes = bytes.Slice(Size);
        return true;
    }

    /// <summary>Writes it down, in <see cref="Size"/> bytes.</summary>
    public void Write(Span<byte> into)
    {
        into[0] = Version;
        into[1] = (byte)Type;
        BinaryPrimitives.WriteUInt16BigEndian(into[2..], RequestId);
        BinaryPrimitives.WriteUInt16BigEndian(into[4..], (ushort)ContentLength);
        into[6] = (byte)PaddingLength;
        into[7] = 0;
    }
}
