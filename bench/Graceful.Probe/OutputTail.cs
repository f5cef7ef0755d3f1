using System.Text;

namespace Graceful.Probe;

// The last part of what a server printed.
internal sealed class OutputTail
{
    public const int Limit = 64 * 1024;

    private readonly Lock gate = new();
    private readonly byte[] ring = new byte[Limit];
    private long written;

    public void Add(ReadOnlySpan<byte> bytes)
    {
        lock (gate)
        {
            foreach (byte b in bytes)
            {
                ring[written++ % Limit] = b;
            }
        }
    }

    public override string ToString()
    {
        lock (gate)
        {
            int length = (int)Math.Min(written, Limit);
            var bytes = new byte[length];
            for (int i = 0; i < length; i++)
            {
                bytes[i] = ring[(written - length + i) % Limit];
            }
            return Encoding.UTF8.GetString(bytes);
        }
    }
}
