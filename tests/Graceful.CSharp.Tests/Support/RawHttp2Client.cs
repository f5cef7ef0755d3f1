using System.Buffers.Binary;
using System.Text;

namespace Graceful.Tests.Support;

/// <summary>
/// Just enough of HTTP/2 over cleartext to ask, and then to stay: HttpClient closes a connection by itself once it was told
/// to go away, and so hides a server that does not.
/// </summary>
internal sealed class RawHttp2Client : IDisposable
{
    private const byte Data = 0;
    private const byte Headers = 1;
    private const byte Settings = 4;
    private const byte GoAway = 7;
    private const byte EndStream = 1;
    private const byte EndHeaders = 4;

    private readonly RawClient _raw;
    private int _nextStream = 1;

    private RawHttp2Client(RawClient raw) => _raw = raw;

    public static async Task<RawHttp2Client> ConnectAsync(int port)
    {
        var client = new RawHttp2Client(await RawClient.ConnectAsync(port));
        await client._raw.SendAsync("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
        await client._raw.SendAsync(Frame(Settings, 0, 0, []));
        return client;
    }

    /// <summary>Begins a stream and says which.</summary>
    public async Task<int> SendGetAsync(string path)
    {
        var stream = _nextStream;
        _nextStream += 2;

        // From the static table :method GET and :scheme http; then :path and :authority, spelled out.
        byte[] block = [0x82, 0x86, 0x04, (byte)path.Length, .. Encoding.ASCII.GetBytes(path), 0x01, 9, .. "localhost"u8];
        await _raw.SendAsync(Frame(Headers, EndStream | EndHeaders, stream, block));
        return stream;
    }

    /// <summary>Reads until a stream has ended, and says what its body was.</summary>
    public async Task<string> ReadAsync(int stream)
    {
        var body = new StringBuilder();
        while (true)
        {
            var (type, flags, about, payload) = await ReadFrameAsync();
            if (about == stream && type == Data)
            {
                body.Append(Encoding.UTF8.GetString(payload));
            }

            if (about == stream && type is Data or Headers && (flags & EndStream) != 0)
            {
                return body.ToString();
            }
        }
    }

    /// <summary>Reads until the server says that it goes away; what comes before is dropped.</summary>
    public async Task ReadGoAwayAsync()
    {
        while ((await ReadFrameAsync()).Type != GoAway)
        {
        }
    }

    /// <summary>Reads until the server ends the connection, and says the last stream of its last GOAWAY.</summary>
    public async Task<(int LastStream, Ending Ending)> EndAsync()
    {
        var last = -1;
        try
        {
            while (true)
            {
                var (type, _, _, payload) = await ReadFrameAsync();
                if (type == GoAway)
                {
                    last = BinaryPrimitives.ReadInt32BigEndian(payload);
                }
            }
        }
        catch (EndOfStreamException)
        {
            return (last, Ending.Fin);
        }
        catch (IOException)
        {
            return (last, Ending.Reset);
        }
    }

    public void Dispose() => _raw.Dispose();

    private async Task<(byte Type, byte Flags, int Stream, byte[] Payload)> ReadFrameAsync()
    {
        var head = await _raw.ReadBytesAsync(9);
        var length = (head[0] << 16) | (head[1] << 8) | head[2];
        return (head[3], head[4], BinaryPrimitives.ReadInt32BigEndian(head.AsSpan(5)), await _raw.ReadBytesAsync(length));
    }

    private static byte[] Frame(byte type, byte flags, int stream, byte[] payload)
    {
        var frame = new byte[9 + payload.Length];
        frame[1] = (byte)(payload.Length >> 8);
        frame[2] = (byte)payload.Length;
        frame[3] = type;
        frame[4] = flags;
        BinaryPrimitives.WriteInt32BigEndian(frame.AsSpan(5), stream);
        payload.CopyTo(frame, 9);
        return frame;
    }
}
