using System.Net.Sockets;
using System.Text;
using Graceful.Tests.Support;

namespace Graceful.Tests.RawSockets;

/// <summary>A connection is a whole stream.</summary>
public sealed class Streams
{
    [Fact]
    public async Task Each_way_to_read_gives_the_bytes_and_counts_them_as_work()
    {
        await using var rig = new Rig(ConnectionMode.Automatic);
        var (server, client) = await rig.PairAsync();
        var buffer = new byte[8];
        var ways = new (string Name, Func<Task<int>> Read)[]
        {
            ("array", () => Task.FromResult(server.Read(buffer, 1, 4))),
            ("span", () => Task.FromResult(server.Read(buffer.AsSpan(1, 4)))),
#pragma warning disable CA1835 // This is the overload that is meant.
            ("async array", () => server.ReadAsync(buffer, 1, 4)),
#pragma warning restore CA1835
            ("memory", () => server.ReadAsync(buffer.AsMemory(1, 4)).AsTask()),
            ("begin and end", () => Task.Factory.FromAsync(server.BeginRead(buffer, 1, 4, null, null), server.EndRead)),
        };
        foreach (var (name, read) in ways)
        {
            await client.SayAsync("abcd");
            server.MarkIdle();
            Assert.True(await read().Soon(name) == 4, name);
            Assert.Equal("abcd", Encoding.ASCII.GetString(buffer, 1, 4));
            Assert.Equal((name, ConnectionPhase.Active), (name, server.Phase));
        }

        await client.SayAsync("z");
        server.MarkIdle();
        Assert.Equal('z', server.ReadByte());
        Assert.Equal(ConnectionPhase.Active, server.Phase);
    }

    [Fact]
    public async Task A_read_that_waits_for_its_bytes_counts_them_too_and_one_of_nothing_does_not()
    {
        await using var rig = new Rig(ConnectionMode.Automatic);
        var (server, client) = await rig.PairAsync();
        var none = server.ReadAsync(Memory<byte>.Empty).AsTask();
        Assert.False(none.IsCompleted);
        await client.SayAsync("abc");
        Assert.Equal(0, await none.Soon("The bytes"));
        Assert.Equal(ConnectionPhase.New, server.Phase);
        Assert.Equal("abc", await server.HearAsync());
        var reading = server.HearAsync();
        await client.SayAsync("def");
        Assert.Equal("def", await reading);
        Assert.Equal(ConnectionPhase.Active, server.Phase);
    }

    [Fact]
    public async Task Each_way_to_write_reaches_the_client()
    {
        await using var rig = new Rig(ConnectionMode.Manual);
        var (server, client) = await rig.PairAsync();
        var bytes = "-abcd-"u8.ToArray();
        server.Write(bytes, 1, 4);
        server.Write(bytes.AsSpan(1, 4));
#pragma warning disable CA1835 // This is the overload that is meant.
        await server.WriteAsync(bytes, 1, 4);
#pragma warning restore CA1835
        await server.WriteAsync(bytes.AsMemory(1, 4));
        await Task.Factory.FromAsync(server.BeginWrite(bytes, 1, 4, null, null), server.EndWrite);
        server.WriteByte((byte)'!');
        server.SetWriteDeadline(TimeSpan.FromMinutes(1));
        await server.WriteAsync(bytes.AsMemory(1, 4));
        server.Write(bytes.AsSpan(1, 4));
        await server.FlushAsync();
        server.Shutdown(SocketShutdown.Send);
        using var all = new MemoryStream();
        await using var stream = new NetworkStream(client);
        await stream.CopyToAsync(all).Soon("All that was written");
        Assert.Equal("abcdabcdabcdabcdabcd!abcdabcd", Encoding.ASCII.GetString(all.ToArray()));
        Assert.Equal(ConnectionPhase.New, server.Phase);
    }

    [Fact]
    public async Task CopyToAsync_goes_on_to_the_clients_end()
    {
        await using var rig = new Rig(ConnectionMode.Automatic);
        var (server, client) = await rig.PairAsync();
        using var copy = new MemoryStream();
        var copying = server.CopyToAsync(copy);
        await client.SayAsync("all of it");
        client.Shutdown(SocketShutdown.Send);
        await copying.Soon("The copy");
        Assert.Equal("all of it", Encoding.ASCII.GetString(copy.ToArray()));
    }

    [Fact]
    public async Task A_read_deadline_ends_reads_until_another_is_set_and_leaves_the_connection_whole()
    {
        var time = new ManualTime();
        await using var rig = new Rig(ConnectionMode.Automatic, way => way.TimeProvider = time);
        var (server, client) = await rig.PairAsync();
        server.SetReadDeadline(TimeSpan.FromSeconds(10));
        var reading = server.HearAsync();
        time.Advance(TimeSpan.FromSeconds(5));

        // Moved while it is waited for.
        server.SetReadDeadline(time.GetUtcNow() + TimeSpan.FromSeconds(10));
        time.Advance(TimeSpan.FromSeconds(9));
        Assert.False(reading.IsCompleted);
        time.Advance(TimeSpan.FromSeconds(1));
        Assert.IsType<TimeoutException>((await Assert.ThrowsAsync<IOException>(() => reading)).InnerException);
        await client.SayAsync("too late");
        Assert.IsType<TimeoutException>(Assert.Throws<IOException>(() => server.Read(new byte[8])).InnerException);
        server.SetReadDeadline(null);
        Assert.Equal("too late", await server.HearAsync());
        server.SetReadDeadline(time.GetUtcNow() - TimeSpan.FromSeconds(1));
        await Assert.ThrowsAsync<IOException>(() => server.HearAsync());
        server.SetReadDeadline(TimeSpan.FromSeconds(1));
        await client.SayAsync("in time");
        Assert.Equal("in time", await server.HearAsync());
    }

    [Fact]
    public async Task A_token_cancels_a_read_with_and_without_a_deadline()
    {
        await using var rig = new Rig(ConnectionMode.Automatic);
        var (server, client) = await rig.PairAsync();
        foreach (var deadline in new TimeSpan?[] { null, TimeSpan.FromMinutes(1) })
        {
            server.SetReadDeadline(deadline ?? Timeout.InfiniteTimeSpan);
            using var cancel = new CancellationTokenSource();
            var reading = server.ReadAsync(new byte[8], cancel.Token).AsTask();
            await cancel.CancelAsync();
            var error = await Assert.ThrowsAnyAsync<OperationCanceledException>(() => reading.Soon());
            Assert.Equal(cancel.Token, error.CancellationToken);
        }

        await client.SayAsync("whole");
        Assert.Equal("whole", await server.HearAsync());
    }

    [Fact]
    public async Task A_write_deadline_ends_a_write_that_nobody_reads()
    {
        await using var rig = new Rig(ConnectionMode.Manual);
        var (server, _) = await rig.PairAsync();
        server.SetWriteDeadline(TimeSpan.FromMilliseconds(50));
        var error = await Assert.ThrowsAsync<IOException>(() => server.WriteAsync(new byte[64 << 20]).AsTask().Soon());
        Assert.IsType<TimeoutException>(error.InnerException);
    }

    [Fact]
    public async Task A_synchronous_read_has_the_time_out_of_a_network_stream()
    {
        await using var rig = new Rig(ConnectionMode.Manual);
        var (server, _) = await rig.PairAsync();
        Assert.True(server.CanTimeout);
        Assert.Equal((Timeout.Infinite, Timeout.Infinite), (server.ReadTimeout, server.WriteTimeout));
        (server.ReadTimeout, server.WriteTimeout) = (30, 40);
        Assert.Equal((30, 40), (server.ReadTimeout, server.WriteTimeout));
        await Assert.ThrowsAsync<IOException>(() => Task.Run(() => server.Read(new byte[8])).Soon("The time-out"));

        // Also when there was a deadline once.
        server.SetReadDeadline(TimeSpan.FromMinutes(1));
        server.SetReadDeadline(null);
        await Assert.ThrowsAsync<IOException>(() => Task.Run(() => server.Read(new byte[8])).Soon("The second time-out"));
    }

    [Fact]
    public async Task A_blocking_read_that_meets_the_close_gets_an_end()
    {
        await using var rig = new Rig(ConnectionMode.Automatic);
        var (server, _) = await rig.PairAsync();
        var reading = Task.Factory.StartNew(() => server.Read(new byte[8]), TaskCreationOptions.LongRunning);
        await Limits.Until(() => rig.Listener.CloseIdle() == 1, "it was closed");
        Assert.Equal(0, await reading.Soon("The end"));
    }

    [Fact]
    public async Task A_connection_can_do_what_it_says_and_no_more()
    {
        await using var rig = new Rig(ConnectionMode.Manual);
        var (server, client) = await rig.PairAsync();
        Assert.Equal((true, true, false), (server.CanRead, server.CanWrite, server.CanSeek));
        Assert.Equal(client.LocalEndPoint, server.RemoteEndPoint);
        Assert.Equal(client.RemoteEndPoint, server.LocalEndPoint);
        Assert.True(server.Socket.NoDelay);
        Assert.NotEqual(0, (int)server.Socket.GetSocketOption(SocketOptionLevel.Socket, SocketOptionName.KeepAlive)!);
        Assert.Equal(15, (int)server.Socket.GetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveTime)!);
        Assert.Null(server.Tls);
        Assert.Throws<NotSupportedException>(() => server.Length);
        Assert.Throws<NotSupportedException>(() => server.Seek(0, SeekOrigin.Begin));
        Assert.Throws<NotSupportedException>(() => server.SetLength(0));
        await server.DisposeAsync();
        Assert.Equal((false, false), (server.CanRead, server.CanWrite));
        Assert.Equal(client.LocalEndPoint, server.RemoteEndPoint);
    }
}
