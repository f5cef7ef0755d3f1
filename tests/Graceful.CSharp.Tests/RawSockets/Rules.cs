using System.Diagnostics;
using System.Net.Sockets;
using Graceful.Tests.Support;

namespace Graceful.Tests.RawSockets;

/// <summary>Each sentence of goji's documentation of its graceful listener, held against ours.</summary>
public sealed class Rules
{
    [Fact]
    public async Task Manual_mode_is_completely_manual_a_read_marks_nothing()
    {
        await using var rig = new Rig(ConnectionMode.Manual);
        var (server, client) = await rig.PairAsync();
        await client.SayAsync("hello");
        Assert.Equal("hello", await server.HearAsync());
        Assert.Equal(ConnectionPhase.New, server.Phase);
        server.SetReadDeadline(TimeSpan.FromMinutes(1));
        Assert.Equal(ConnectionPhase.New, server.Phase);
        Assert.True(server.MarkInUse());
        Assert.Equal(ConnectionPhase.Active, server.Phase);
        server.SetReadDeadline(TimeSpan.FromMinutes(1));
        Assert.Equal(ConnectionPhase.Active, server.Phase);
        server.MarkIdle();
        Assert.Equal(ConnectionPhase.Idle, server.Phase);
    }

    [Fact]
    public async Task Automatic_mode_marks_in_use_on_read_and_only_MarkIdle_marks_idle()
    {
        await using var rig = new Rig(ConnectionMode.Automatic);
        var (server, client) = await rig.PairAsync();
        Assert.Equal(ConnectionPhase.New, server.Phase);
        await client.SayAsync("hello");
        Assert.Equal("hello", await server.HearAsync());
        Assert.Equal(ConnectionPhase.Active, server.Phase);
        server.SetReadDeadline(TimeSpan.FromMinutes(1));
        Assert.Equal(ConnectionPhase.Active, server.Phase);
        server.MarkIdle();
        Assert.Equal(ConnectionPhase.Idle, server.Phase);
        await client.SayAsync("again");
        Assert.Equal("again", await server.HearAsync());
        Assert.Equal(ConnectionPhase.Active, server.Phase);
    }

    [Fact]
    public async Task Deadline_mode_is_like_automatic_and_a_read_deadline_marks_idle()
    {
        await using var rig = new Rig(ConnectionMode.Deadline);
        var (server, client) = await rig.PairAsync();
        await client.SayAsync("hello");
        Assert.Equal("hello", await server.HearAsync());
        Assert.Equal(ConnectionPhase.Active, server.Phase);
        server.SetReadDeadline(null);
        server.SetReadDeadline(Timeout.InfiniteTimeSpan);
        Assert.Equal(ConnectionPhase.Active, server.Phase);
        server.SetReadDeadline(DateTimeOffset.UtcNow.AddMinutes(1));
        Assert.Equal(ConnectionPhase.Idle, server.Phase);
        await client.SayAsync("again");
        Assert.Equal("again", await server.HearAsync());
        Assert.Equal(ConnectionPhase.Active, server.Phase);
    }

    [Fact]
    public async Task CloseIdle_closes_all_that_are_idle_and_no_others_and_goes_on_serving()
    {
        await using var rig = new Rig(ConnectionMode.Manual);
        var (idle, idleClient) = await rig.PairAsync();
        idle.MarkInUse();
        idle.MarkIdle();
        var (_, newClient) = await rig.PairAsync();
        var (busy, busyClient) = await rig.PairAsync();
        busy.MarkInUse();
        Assert.Equal(2, rig.Listener.CloseIdle());
        await idleClient.EndsAsync();
        await newClient.EndsAsync();
        Assert.True(busyClient.IsOpen());

        // It does not close what becomes idle in the future, and does not wait.
        busy.MarkIdle();
        Assert.Equal(ConnectionPhase.Idle, busy.Phase);
        Assert.True(busyClient.IsOpen());
        var (later, laterClient) = await rig.PairAsync();
        await laterClient.SayAsync("hello");
        Assert.Equal("hello", await later.HearAsync());
    }

    [Fact]
    public async Task CloseIdle_spares_bytes_that_nobody_has_read_yet_and_whoever_spoke_just_now()
    {
        await using var rig = new Rig(ConnectionMode.Automatic);
        var (server, client) = await rig.PairAsync();
        await client.SayAsync("hello");
        await Limits.Until(() => server.Socket.Available > 0, "the bytes are there");
        Assert.Equal(0, rig.Listener.CloseIdle());
        Assert.Equal("hello", await server.HearAsync());
        server.MarkIdle();
        Assert.Equal(0, rig.Listener.CloseIdle(TimeSpan.FromHours(1)));
        Assert.Equal(1, rig.Listener.CloseIdle());
        await client.EndsAsync();
    }

    /// <summary>Of TCP the kernel says since when it has been silent; of a Unix socket the marks do.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task CloseIdle_spares_whoever_was_answered_just_now_after_long_work(bool overUnix)
    {
        await using var rig = new Rig(ConnectionMode.Manual, overUnix: overUnix);
        var silence = TimeSpan.FromMilliseconds(400);
        for (var attempt = 0; attempt < 20; attempt++)
        {
            var (server, _) = await rig.PairAsync();
            server.MarkInUse();
            await Task.Delay(silence + TimeSpan.FromMilliseconds(50));
            var since = Stopwatch.StartNew();
            await server.WriteAsync("done"u8.ToArray());
            server.MarkIdle();
            var closed = rig.Listener.CloseIdle(silence);
            if (since.Elapsed < silence / 2)
            {
                Assert.Equal(0, closed);
                return;
            }
        }

        Assert.Fail("The machine never was quick enough to look in time.");
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Drain_closes_idle_connections_lets_nobody_in_and_waits_for_the_others(bool overUnix)
    {
        await using var rig = new Rig(ConnectionMode.Automatic, overUnix: overUnix);
        var (_, idleClient) = await rig.PairAsync();
        var (busy, busyClient) = await rig.PairAsync();
        await busyClient.SayAsync("work");
        Assert.Equal("work", await busy.HearAsync());
        var drain = rig.Listener.DrainAsync();
        await idleClient.EndsAsync();
        Assert.Null(await rig.Listener.AcceptAsync().AsTask().Soon("The end of the accepts"));
        await Assert.ThrowsAnyAsync<SocketException>(rig.ConnectAsync);
        Assert.False(drain.IsCompleted);
        Assert.True(busy.IsRetiring);
        await busy.SayAsync("done");
        busy.MarkIdle();
        await drain.Soon("The drain");
        Assert.Equal("done", await busyClient.HearAsync());
        await busyClient.EndsAsync();
        Assert.Equal("", await busy.HearAsync());
        Assert.Equal(0, rig.Listener.Connections.Values.Sum());
        Assert.False(rig.Graceful.IsStopping);
    }

    [Fact]
    public async Task Who_waits_at_a_shared_listener_that_is_closed_waits_for_somebody_else()
    {
        await using var rig = new Rig(ConnectionMode.Manual);
        rig.Listener.IsShared = true;
        await rig.ConnectAsync();
        Assert.True(rig.Listener.Intake.IsAnybodyWaiting);
        await rig.Listener.CloseAsync().Soon("The close");
        Assert.False(rig.Listener.Intake.IsAnybodyWaiting);
    }

    [Fact]
    public async Task DrainAll_closes_idle_and_busy_connections_but_no_disowned_ones()
    {
        await using var rig = new Rig(ConnectionMode.Manual);
        var (_, newClient) = await rig.PairAsync();
        var (busy, busyClient) = await rig.PairAsync();
        busy.MarkInUse();
        var (disowned, disownedClient) = await rig.PairAsync();
        disowned.Disown();
        await rig.Listener.DrainAllAsync().Soon("The drain");
        await newClient.EndsAsync();
        await busyClient.IsResetAsync();
        await Assert.ThrowsAsync<IOException>(() => busy.HearAsync());
        await Assert.ThrowsAsync<IOException>(() => busy.SayAsync("?"));
        await disownedClient.SayAsync("still there");
        Assert.Equal("still there", await disowned.HearAsync());
        await disowned.SayAsync("yes");
        Assert.Equal("yes", await disownedClient.HearAsync());
    }

    [Fact]
    public async Task DrainAll_gives_whoever_is_at_its_end_time_for_a_last_word()
    {
        // No time passes by itself, so nobody is cut off.
        await using var rig = new Rig(ConnectionMode.Manual, options => (options.TimeProvider, options.SettleTime) = (new ManualTime(), TimeSpan.Zero));
        var (busy, client) = await rig.PairAsync();
        busy.MarkInUse();
        var drain = rig.Listener.DrainAllAsync();
        await Limits.Until(() => busy.IsRetiring, "the drain has begun");
        await busy.SayAsync("bye");
        busy.MarkIdle();
        Assert.Equal("bye", await client.HearAsync());
        await client.EndsAsync();
        await drain.Soon("The drain");
    }

    [Fact]
    public async Task DrainAll_cuts_a_drain_short()
    {
        await using var rig = new Rig(ConnectionMode.Manual);
        var (busy, _) = await rig.PairAsync();
        busy.MarkInUse();
        var drain = rig.Listener.DrainAsync();
        await Limits.Until(() => busy.IsRetiring, "the drain has begun");
        await rig.Listener.DrainAllAsync().Soon("The second drain");
        await drain.Soon("The first drain");
    }

    [Fact]
    public async Task A_stop_that_is_forced_ends_a_listeners_own_drain_too()
    {
        await using var rig = new Rig(ConnectionMode.Manual);
        var (busy, client) = await rig.PairAsync();
        busy.MarkInUse();
        var drain = rig.Listener.DrainAsync();
        await Limits.Until(() => busy.IsRetiring, "the drain has begun");
        Assert.True(rig.Graceful.CloseNow());
        await drain.Soon("The drain");
        await client.IsResetAsync();
        Assert.Equal(ShutdownOutcome.Forced, (await rig.Engine.Exited.Soon("The end of the way out")).Outcome);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_client_that_has_said_all_still_gets_its_answer_on_the_way_out(bool disposes)
    {
        await using var rig = new Rig(ConnectionMode.Automatic);
        var (server, client) = await rig.PairAsync();
        await client.SayAsync("ask");
        client.Shutdown(SocketShutdown.Send);
        Assert.Equal("ask", await server.HearAsync());
        Assert.Equal("", await server.HearAsync());
        var drain = rig.Listener.DrainAsync();
        await Limits.Until(() => server.IsRetiring, "the drain has begun");
        Assert.False(drain.IsCompleted);
        await server.SayAsync("answer");
        if (disposes)
        {
            await server.DisposeAsync();
        }
        else
        {
            server.MarkIdle();
        }

        Assert.Equal("answer", await client.HearAllAsync());
        await drain.Soon("The drain");
    }

    [Fact]
    public async Task Close_closes_the_listener_and_nothing_more()
    {
        await using var rig = new Rig(ConnectionMode.Manual);
        var (server, client) = await rig.PairAsync();
        var accepting = rig.Listener.AcceptAsync();
        rig.Listener.Close();
        Assert.Null(await accepting.AsTask().Soon("The accept"));
        await rig.Listener.CloseAsync().Soon("The close");
        await Assert.ThrowsAnyAsync<SocketException>(rig.ConnectAsync);
        await client.SayAsync("hello");
        Assert.Equal("hello", await server.HearAsync());
        Assert.False(server.IsRetiring);
    }

    [Fact]
    public async Task Disown_causes_a_connection_to_be_tracked_no_more_whatever_becomes_of_the_server()
    {
        await using var rig = new Rig(ConnectionMode.Deadline);
        var (server, client) = await rig.PairAsync();
        await client.SayAsync("hello");
        Assert.Equal("hello", await server.HearAsync());
        GracefulListener.Disown(server);
        Assert.Equal(0, rig.Listener.Connections.Values.Sum());

        // Marks and deadlines say nothing to anybody any more.
        Assert.True(server.MarkInUse());
        server.MarkIdle();
        server.SetReadDeadline(TimeSpan.FromMinutes(1));
        Assert.Equal(0, (await rig.LeaveAsync()).ExitCode);
        await rig.Listener.DisposeAsync();
        await client.SayAsync("and on");
        Assert.Equal("and on", await server.HearAsync());
        await server.DisposeAsync();
        await client.EndsAsync();
    }

    [Fact]
    public async Task A_read_that_was_pending_when_its_connection_was_disowned_goes_on()
    {
        await using var rig = new Rig(ConnectionMode.Automatic);
        var (server, client) = await rig.PairAsync();
        var reading = server.HearAsync();
        server.Disown();
        await rig.Listener.DrainAllAsync().Soon("The drain");
        await client.SayAsync("late");
        Assert.Equal("late", await reading);
    }

    [Fact]
    public async Task MarkIdle_on_the_way_out_closes_at_once_and_what_was_written_arrives()
    {
        await using var rig = new Rig(ConnectionMode.Automatic);
        var (server, client) = await rig.PairAsync();
        await client.SayAsync("x");
        _ = await server.HearAsync();
        var drain = rig.Listener.DrainAsync();
        await Limits.Until(() => server.IsRetiring, "the drain has begun");

        // More than the client's window takes, and unread bytes that would turn a close into a reset.
        var answer = new byte[4 << 20];
        var sending = server.WriteAsync(answer).AsTask();
        var received = ReceiveAllAsync(client);
        await sending.Soon("The answer");
        await client.SayAsync("pipelined");
        GracefulListener.MarkIdle(server);
        Assert.Equal("", await server.HearAsync());
        Assert.Equal(answer.Length, await received.Soon("The whole answer"));
        await drain.Soon("The drain");
    }

    [Fact]
    public async Task Bytes_that_nobody_reads_any_more_make_no_reset_of_the_end()
    {
        await using var rig = new Rig(ConnectionMode.Automatic);
        var (server, client) = await rig.PairAsync();
        await client.SayAsync("x");
        Assert.Equal("x", await server.HearAsync());
        var drain = rig.Listener.DrainAsync();
        await Limits.Until(() => server.IsRetiring, "the drain has begun");
        await client.SayAsync("pipelined");
        await Limits.Until(() => server.Socket.Available > 0, "the bytes are there");
        server.MarkIdle();
        await drain.Soon("The drain");
        await client.EndsAsync();

        // Whoever only reads does not see here that a reset came after the end; on other systems it takes what he has not read yet.
        Assert.Equal(0, (int)client.GetSocketOption(SocketOptionLevel.Socket, SocketOptionName.Error)!);
    }

    [Fact]
    public async Task MarkInUse_removes_a_connection_from_those_that_may_be_closed()
    {
        await using var rig = new Rig(ConnectionMode.Manual, quiet: TimeSpan.Zero);
        var (server, client) = await rig.PairAsync();
        Assert.True(GracefulListener.MarkInUse(server));
        var drain = rig.Listener.DrainAsync();
        await Limits.Until(() => server.IsRetiring, "the drain has begun");
        Assert.Equal(0, rig.Listener.CloseIdle());
        Assert.True(client.IsOpen());
        server.MarkIdle();
        await drain.Soon("The drain");
    }

    [Fact]
    public async Task A_mark_is_a_level_and_not_a_count()
    {
        await using var rig = new Rig(ConnectionMode.Manual);
        var (server, _) = await rig.PairAsync();
        server.MarkInUse();
        server.MarkInUse();
        server.MarkIdle();
        Assert.Equal(ConnectionPhase.Idle, server.Phase);
        server.MarkIdle();
        Assert.Equal(ConnectionPhase.Idle, server.Phase);
    }

    [Fact]
    public async Task A_read_that_meets_the_close_gets_an_end_and_its_bytes_are_nobodys_work()
    {
        await using var rig = new Rig(ConnectionMode.Automatic);
        var (server, client) = await rig.PairAsync();
        var reading = server.HearAsync();
        Assert.Equal(1, rig.Listener.CloseIdle());
        Assert.Equal("", await reading);
        Assert.False(server.MarkInUse());
        Assert.Equal(ConnectionPhase.Closed, server.Phase);
        Assert.Equal("", await server.HearAsync());
        Assert.Equal(-1, server.ReadByte());
        await client.EndsAsync();
        var error = await Assert.ThrowsAsync<IOException>(() => server.SayAsync("?"));
        Assert.Contains("nobody worked on it", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Bytes_that_come_while_the_last_answer_still_goes_out_are_nobodys_work()
    {
        await using var rig = new Rig(ConnectionMode.Automatic);
        var accepting = rig.AcceptAsync();
        using var client = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { ReceiveBufferSize = 4096 };
        await client.ConnectAsync(rig.Listener.LocalEndPoint).Soon("The connection");
        var server = await accepting;
        await client.SayAsync("x");
        _ = await server.HearAsync();
        var drain = rig.Listener.DrainAsync();
        await Limits.Until(() => server.IsRetiring, "the drain has begun");

        // More than the client takes, and no more than the kernel does.
        var answer = new byte[100_000];
        await server.WriteAsync(answer).AsTask().Soon("The answer");
        var reading = server.HearAsync();
        server.MarkIdle();
        Assert.Equal(ConnectionPhase.Closed, server.Phase);
        await client.SayAsync("late");
        Assert.Equal("", await reading);
        Assert.False(drain.IsCompleted);
        Assert.Equal(answer.Length, await ReceiveAllAsync(client).Soon("The whole answer"));
        await drain.Soon("The drain");
    }

    [Fact]
    public async Task Whoever_disposes_a_connection_lets_the_drain_go_on()
    {
        await using var rig = new Rig(ConnectionMode.Manual);
        var (server, client) = await rig.PairAsync();
        server.MarkInUse();
        var drain = rig.Listener.DrainAsync();
        await server.DisposeAsync();
        await drain.Soon("The drain");
        await client.EndsAsync();
    }

    [Fact]
    public async Task Addr_is_where_it_listens_also_when_it_is_closed()
    {
        await using var rig = new Rig(ConnectionMode.Manual);
        var expected = rig.Socket.LocalEndPoint;
        await rig.Listener.CloseAsync().Soon("The close");
        Assert.Equal(expected, rig.Listener.LocalEndPoint);
    }

    private static async Task<long> ReceiveAllAsync(Socket client)
    {
        var buffer = new byte[1 << 16];
        var all = 0L;
        while (true)
        {
            var bytes = await client.ReceiveAsync(buffer);
            if (bytes == 0)
            {
                return all;
            }

            all += bytes;
        }
    }
}
