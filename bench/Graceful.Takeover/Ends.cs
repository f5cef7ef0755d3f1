using System.Buffers.Binary;
using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Graceful.Takeover;

/// <summary>
/// How soon a connection ends once its last stream has: connections straight to a server, each with one slow stream, whose frames are
/// read as they come.
/// </summary>
internal static class Ends
{
    private const int Many = 40;
    private const byte Data = 0;
    private const byte GoAway = 7;
    private const byte EndStream = 1;

    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(60);

    /// <summary>One stop.</summary>
    /// <returns>Of each connection, from the end of its stream to the server's last word; the last GOAWAY's stream must be 1, else null.</returns>
    public static async Task<List<TimeSpan?>> MeasureAsync(Backend server)
    {
        // They end one after the other, well after everybody was told, at all phases of a heartbeat of a second.
        var ends = Enumerable.Range(0, Many).Select(index => EndAsync(server.Port, 3000 + (50 * index))).ToList();
        await Task.Delay(500);
        var stop = server.StopAsync();
        var delays = await Task.WhenAll(ends).WaitAsync(Limit);
        await stop;
        return [.. delays];
    }

    private static async Task<TimeSpan?> EndAsync(int port, int milliseconds)
    {
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        await socket.ConnectAsync(IPAddress.Loopback, port);
        using var stream = new NetworkStream(socket);
        await stream.WriteAsync((byte[])[.. "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"u8, 0, 0, 0, 4, 0, 0, 0, 0, 0, .. Get($"/slow?ms={milliseconds.ToString(CultureInfo.InvariantCulture)}")]);
        var head = new byte[9];
        var ended = 0L;
        var last = -1;
        try
        {
            while (true)
            {
                await stream.ReadExactlyAsync(head);
                var payload = new byte[(head[0] << 16) | (head[1] << 8) | head[2]];
                await stream.ReadExactlyAsync(payload);
                if (head[3] == Data && (head[4] & EndStream) != 0)
                {
                    ended = Stopwatch.GetTimestamp();
                }
                else if (head[3] == GoAway)
                {
                    last = BinaryPrimitives.ReadInt32BigEndian(payload);
                }
            }
        }
        catch (Exception e) when (e is EndOfStreamException or IOException)
        {
            return last == 1 && ended > 0 ? Stopwatch.GetElapsedTime(ended) : null;
        }
    }

    /// <summary>A HEADERS frame of stream 1: GET, http and the rest spelled out.</summary>
    private static byte[] Get(string path)
    {
        byte[] block = [0x82, 0x86, 0x04, (byte)path.Length, .. Encoding.ASCII.GetBytes(path), 0x01, 9, .. "localhost"u8];
        return [0, 0, (byte)block.Length, 1, 5, 0, 0, 0, 1, .. block];
    }
}
