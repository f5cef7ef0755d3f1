using System.Buffers.Binary;
using System.Globalization;
using System.Text;
using Xunit;

namespace Graceful.Probe.Tests;

// What the frames of one HTTP/2 connection say, in orders that HttpClient and a server come to only now and then.
public sealed class WatchedStreamTests : IDisposable
{
    private static readonly LoadPlan Plan = new()
    {
        Protocol = Protocol.Http2, Tls = false, Port = 1, UnixPath = null, KeepAlive = 0, Connect = 0, Idle = 0, Slow = 0, Path = "/", SlowPath = "/",
        Think = TimeSpan.Zero, RequestLimit = TimeSpan.FromSeconds(1), ConnectLimit = TimeSpan.FromSeconds(1), Sources = 1, Threads = 1,
        CloseWith = CloseWith.Fin, Streams = 2,
    };

    private readonly TaskLoad load = new(Plan, new StageBoard());
    private readonly Http2Channel channel;

    public WatchedStreamTests() => channel = new Http2Channel(ClientKind.KeepAlive, 1, Plan, load);

    public void Dispose()
    {
        channel.Dispose();
        load.Dispose();
    }

    [Fact]
    public async Task A_request_that_was_repeated_elsewhere_stays_there_when_its_first_stream_leaves_late()
    {
        Exchange exchange = channel.Begin();
        await using WatchedStream told = Of(GoAway(0)), other = Of([]);
        await ReadAsync(told);
        await SendAsync(other, exchange, 1);
        await SendAsync(told, exchange, 1);
        Assert.True(await exchange.Sent);
        Assert.Equal(1, Counted(Outcome.Unprocessed));
    }

    [Fact]
    public async Task What_is_behind_the_last_stream_of_a_GOAWAY_is_unprocessed()
    {
        Exchange[] exchanges = [channel.Begin(), channel.Begin()];
        await using WatchedStream told = Of(GoAway(1));
        await SendAsync(told, exchanges[0], 1);
        await SendAsync(told, exchanges[1], 3);
        await ReadAsync(told);
        Assert.Equal((true, false), (await exchanges[0].Sent, await exchanges[1].Sent));
        Assert.Equal(1, Counted(Outcome.Unprocessed));
    }

    [Fact]
    public async Task An_answer_behind_a_reset_makes_its_stream_no_reused_one()
    {
        Exchange[] exchanges = [channel.Begin(), channel.Begin()];
        await using WatchedStream stream = Of([.. Frame(3, 0, 1, [0, 0, 0, 2]), .. Frame(1, 5, 3, [0x88])]);
        await SendAsync(stream, exchanges[0], 1);
        await SendAsync(stream, exchanges[1], 3);
        await ReadAsync(stream);
        Assert.Equal((true, false, true), (exchanges[0].WasReset, exchanges[0].WasOnReused, exchanges[1].WasOnReused));
    }

    [Fact]
    public async Task Nothing_is_sent_behind_the_end()
    {
        Exchange exchange = channel.Begin();
        await using WatchedStream ended = Of([]);
        await ReadAsync(ended);
        await Assert.ThrowsAsync<IOException>(() => SendAsync(ended, exchange, 1));
        Assert.False(await exchange.Sent);
    }

    [Fact]
    public async Task A_write_that_fails_sends_nothing()
    {
        Exchange exchange = channel.Begin();
        await using var broken = new WatchedStream(new MemoryStream([], writable: false), channel);
        await Assert.ThrowsAsync<NotSupportedException>(() => SendAsync(broken, exchange, 1));
        Assert.False(await exchange.Sent);
    }

    private long Counted(Outcome outcome) => load.Tally().Of(ClientKind.KeepAlive, signalled: false)[outcome];

    // Reads these bytes, and then the end; takes what is written.
    private WatchedStream Of(byte[] toRead) => new(new Duplex(toRead), channel);

    private static async Task ReadAsync(WatchedStream stream) => _ = await stream.ReadAsync(new byte[1024]);

    // The first stream comes behind the preface.
    private static async Task SendAsync(WatchedStream stream, Exchange exchange, int id)
    {
        byte[] name = Encoding.ASCII.GetBytes("probe-exchange"), number = Encoding.ASCII.GetBytes(exchange.Number.ToString(CultureInfo.InvariantCulture));
        byte[] frame = Frame(1, 5, id, [0, (byte)name.Length, .. name, (byte)number.Length, .. number]);
        await stream.WriteAsync(id == 1 ? [.. new byte[24], .. frame] : frame);
    }

    private static byte[] GoAway(int last)
    {
        var payload = new byte[8];
        BinaryPrimitives.WriteInt32BigEndian(payload, last);
        return Frame(7, 0, 0, payload);
    }

    private static byte[] Frame(byte type, byte flags, int id, byte[] payload) =>
        [0, 0, (byte)payload.Length, type, flags, 0, 0, 0, (byte)id, .. payload];

    private sealed class Duplex(byte[] toRead) : MemoryStream(toRead)
    {
        public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default) => ValueTask.CompletedTask;
    }
}
