using System.Text;
using Graceful.Tests.Support;

namespace Graceful.Tests.WebSockets;

/// <summary>A peer on HTTP/1.1 that answers nothing by itself, and shows each frame as it came.</summary>
internal sealed class RawWebSocket : IDisposable
{
    private readonly RawClient _raw;

    private RawWebSocket(RawClient raw) => _raw = raw;

    public static async Task<RawWebSocket> ConnectAsync(int port, string path) => await OverAsync(await RawClient.ConnectAsync(port), path);

    /// <summary>Over a connection that is there already.</summary>
    public static async Task<RawWebSocket> OverAsync(RawClient raw, string path)
    {
        await raw.SendAsync(
            $"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\n"
            + "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n");
        Assert.Equal(101, (await raw.ReadHeadAsync()).Status);
        return new RawWebSocket(raw);
    }

    /// <summary>Sends a frame, masked with a key of nothing but zeros.</summary>
    /// <param name="first">FIN and opcode.</param>
    /// <param name="payload">At most 125 bytes.</param>
    public Task SendAsync(byte first, params byte[] payload) => _raw.SendAsync(new byte[] { first, (byte)(0x80 | payload.Length), 0, 0, 0, 0 }.Concat(payload).ToArray());

    public Task SendTextAsync(string text) => SendAsync(0x81, Encoding.UTF8.GetBytes(text));

    /// <summary>Answers a Close.</summary>
    public Task AnswerAsync() => SendAsync(0x88, 3, 0xE9);

    /// <summary>The next frame: FIN and opcode, and what it carries.</summary>
    public async Task<(byte First, byte[] Payload)> ReadAsync()
    {
        var head = await _raw.ReadBytesAsync(2);
        int length = head[1];
        if (length == 126)
        {
            var size = await _raw.ReadBytesAsync(2);
            length = (size[0] << 8) | size[1];
        }

        return (head[0], await _raw.ReadBytesAsync(length));
    }

    public async Task MustReadTextAsync(string text, byte first = 0x81)
    {
        var frame = await ReadAsync();
        Assert.Equal((first, text), (frame.First, Encoding.UTF8.GetString(frame.Payload)));
    }

    /// <summary>The next frame is a Close.</summary>
    public async Task MustReadCloseAsync(int code = 1001)
    {
        var (first, payload) = await ReadAsync();
        Assert.Equal(0x88, first);
        Assert.Equal(code, (payload[0] << 8) | payload[1]);
    }

    /// <summary>The end of the connection, before which nothing may come.</summary>
    public Task<Ending> EndAsync() => _raw.EndAsync();

    public void Dispose() => _raw.Dispose();
}
