using System.Buffers.Binary;

namespace Graceful.Probe;

// Reads the frames of a WebSocket, and knows whether it was in the middle of one when the connection ended.
internal sealed class FrameReader(Stream stream, ReadOnlyMemory<byte> already)
{
    private ReadOnlyMemory<byte> already = already;

    public bool IsInside { get; private set; }

    // Null when the peer has closed between two frames.
    public async Task<Frame?> ReadAsync()
    {
        byte[]? head = await ReadAsync(2);
        if (head is null)
        {
            return null;
        }
        byte opcode = (byte)(head[0] & 0x0f);
        bool known = opcode is Frame.Continuation or Frame.Text or Frame.Binary or Frame.Close or Frame.Ping or Frame.Pong;
        if (!known || (head[0] & 0x70) != 0 || (head[1] & 0x80) != 0)
        {
            throw new InvalidDataException("a frame of no known kind, or a masked one");
        }
        long length = head[1] switch
        {
            126 => BinaryPrimitives.ReadUInt16BigEndian(await ReadAllAsync(2)),
            127 => BinaryPrimitives.ReadInt64BigEndian(await ReadAllAsync(8)),
            byte small => small,
        };
        if (length is < 0 or > Frame.PayloadLimit)
        {
            throw new InvalidDataException("a frame that is too long");
        }
        byte[] payload = await ReadAllAsync((int)length);
        IsInside = false;
        return new Frame(opcode, (head[0] & 0x80) != 0, payload);
    }

    private async Task<byte[]> ReadAllAsync(int count) => await ReadAsync(count) ?? throw new EndOfStreamException();

    private async Task<byte[]?> ReadAsync(int count)
    {
        var bytes = new byte[count];
        for (int length = 0; length < count;)
        {
            int more = Math.Min(already.Length, count - length);
            if (more > 0)
            {
                already[..more].CopyTo(bytes.AsMemory(length));
                already = already[more..];
            }
            else
            {
                more = await stream.ReadAsync(bytes.AsMemory(length));
            }
            if (more == 0)
            {
                return IsInside ? throw new EndOfStreamException() : null;
            }
            IsInside = true;
            length += more;
        }
        return bytes;
    }
}
