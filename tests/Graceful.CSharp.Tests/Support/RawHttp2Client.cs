using System.Buffers.Binary;
using System.Net.Security;
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
    private const byte Acknowledge = 1;
    private const byte EndHeaders = 4;

    private readonly RawClient _raw;
    private readonly byte _scheme;
    private readonly List<int> _goAways = [];
    private readonly Dictionary<int, string> _bodies = [];
    private readonly HashSet<int> _ended = [];
    private int _nextStream = 1;

    private RawHttp2Client(RawClient raw, bool tls)
    {
        _raw = raw;

        // From the static table, http or https.
        _scheme = (byte)(tls ? 0x87 : 0x86);
    }

    /// <summary>The last streams of the GOAWAYs that were read so far.</summary>
    public IReadOnlyList<int> GoAways => _goAways;

    /// <summary>Whether anything came, or the end, that was not read yet.</summary>
    public bool HasNews => _raw.HasNews;

    public static async Task<RawHttp2Client> ConnectAsync(int port, bool tls = false)
    {
        var raw = await RawClient.ConnectAsync(port);
        var client = new RawHttp2Client(tls ? await raw.WithTlsAsync(SslApplicationProtocol.Http2) : raw, tls);
        await client._raw.SendAsync("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
        await client._raw.SendAsync(Frame(Settings, 0, 0, []));
        return client;
    }

    /// <summary>Begins a stream and says which.</summary>
    public async Task<int> SendGetAsync(string path)
    {
        var stream = _nextStream;
        _nextStream += 2;

        // From the static table :method GET and :scheme; then :path and :authority, spelled out.
        byte[] block = [0x82, _scheme, 0x04, (byte)path.Length, .. Encoding.ASCII.GetBytes(path), 0x01, 9, .. "localhost"u8];
        await _raw.SendAsync(Frame(Headers, EndStream | EndHeaders, stream, block));
        return stream;
    }

    /// <summary>Reads until a stream has ended, and says what its body was. Others may end meanwhile, and are read afterwards.</summary>
    public async Task<string> ReadAsync(int stream)
    {
        while (!_ended.Contains(stream))
        {
            await ReadFrameAsync();
        }

        return _bodies.GetValueOrDefault(stream, "");
    }

    /// <summary>Reads what a server says first: its settings, a window, and that it knows ours.</summary>
    public async Task ReadSettingsAsync()
    {
        for (var acknowledged = false; !acknowledged;)
        {
            var (type, flags, _, _) = await ReadFrameAsync();
            acknowledged = type == Settings && (flags & Acknowledge) != 0;
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
        try
        {
            while (true)
            {
                await ReadFrameAsync();
            }
        }
        catch (EndOfStreamException)
        {
            return (_goAways.LastOrDefault(-1), Ending.Fin);
        }
        catch (IOException)
        {
            return (_goAways.LastOrDefault(-1), Ending.Reset);
        }
    }

    public void Dispose() => _raw.Dispose();

    private async Task<(byte Type, byte Flags, int Stream, byte[] Payload)> ReadFrameAsync()
    {
        var head = await _raw.ReadBytesAsync(9);
        var length = (head[0] << 16) | (head[1] << 8) | head[2];
        var payload = await _raw.ReadBytesAsync(length);
        if (head[3] == GoAway)
        {
            // Nobody here breaks a rule, so none may carry an error.
            Assert.Equal(0, BinaryPrimitives.ReadInt32BigEndian(payload.AsSpan(4)));
            _goAways.Add(BinaryPrimitives.ReadInt32BigEndian(payload));
        }

        var stream = BinaryPrimitives.ReadInt32BigEndian(head.AsSpan(5));
        if (head[3] == Data)
        {
            _bodies[stream] = _bodies.GetValueOrDefault(stream, "") + Encoding.UTF8.GetString(payload);
        }

        if (head[3] is Data or Headers && (head[4] & EndStream) != 0)
        {
            _ended.Add(stream);
        }

        return (head[3], head[4], stream, payload);
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
