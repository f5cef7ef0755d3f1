using System.Net.Sockets;
using Graceful.Tests.Support;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.Logging;

namespace Graceful.Tests.Trackers;

/// <summary>A server that is not ours on its way out: what becomes of each kind of connection.</summary>
public sealed class WaysOut
{
    [Fact]
    public async Task The_idle_and_the_new_are_closed_once_they_were_quiet_and_the_active_is_waited_for()
    {
        await using var life = new Life();
        await using var server = new ForeignServer(life.Graceful);
        using var unused = await server.NewAsync();
        using var idle = await server.IdleAsync();
        using var active = await server.ActiveAsync();
        Assert.Equal((3, 1, 1, 1), (
            server.Tracker.Count, server.Tracker.Connections[ConnectionPhase.New], server.Tracker.Connections[ConnectionPhase.Idle], server.Tracker.Connections[ConnectionPhase.Active]));
        await life.BeginDrainAsync();
        Assert.Equal(Ending.Fin, await unused.EndAsync());
        Assert.Equal(Ending.Fin, await idle.EndAsync());
        Assert.False(active.HasNews);
        Assert.False(server.Tracker.Drained.IsCompleted);
        server.Door.Open();
        await ForeignServer.AnswersAsync(active, "open");
        Assert.Equal(Ending.Fin, await active.EndAsync());
        var report = await life.ReportAsync();
        Assert.Equal((0, 1, 3, 0), (report.ExitCode, (int)report.WorkFinished, (int)report.ConnectionsClosed, (int)report.ConnectionsAborted));
        Assert.Equal("lines: accepting stopped, 0 accepted in the last call", Assert.Single(report.Listeners));
        await server.Tracker.Drained.Soon("The end of the last connection");
        Assert.Equal((0, 3, 1), (server.Tracker.Count, server.Closes, server.Stops));
        Assert.DoesNotContain(life.Log.Entries, entry => entry.Level > LogLevel.Information);
    }

    [Fact]
    public async Task One_that_is_used_within_its_quiet_period_is_answered_first()
    {
        await using var life = new Life(Quiet.Long);
        await using var server = new ForeignServer(life.Graceful);
        using var idle = await server.IdleAsync();
        await life.BeginDrainAsync();
        await Quiet.LessAsync();
        await ForeignServer.PingAsync(idle);
        Assert.Equal(Ending.Fin, await idle.EndAsync());
        Assert.Equal((0, 1), ((await life.ReportAsync()).ExitCode, server.Closes));
    }

    [Fact]
    public async Task What_was_said_of_it_last_counts_where_no_socket_tells_more()
    {
        var quiet = TimeSpan.FromSeconds(3);
        await using var life = new Life(options => options.QuietPeriod = quiet);
        var closes = 0;
        using var tracker = Tracker(life, _ => Interlocked.Increment(ref closes));
        var (one, again) = (new object(), new object());
        Assert.True(tracker.Opened(one) && tracker.Active(one) && tracker.Opened(again) && tracker.Active(again) && tracker.Idle(again));
        await Task.Delay(quiet, TestContext.Current.CancellationToken);

        // Idle since now, and said once more of one that is idle for long.
        Assert.True(tracker.Idle(one) && tracker.Idle(again));
        await life.BeginDrainAsync();
        await Limits.Until(() => Volatile.Read(ref closes) > 0, "the one that is idle for long is closed");
        await Quiet.LessAsync();
        Assert.Equal(1, Volatile.Read(ref closes));
        await Limits.Until(() => Volatile.Read(ref closes) == 2, "the other is closed");
        tracker.Closed(one);
        tracker.Closed(again);
        Assert.Equal(0, (await life.ReportAsync()).ExitCode);
    }

    [Fact]
    public async Task A_hijacked_one_is_waited_for_until_it_is_closed()
    {
        await using var life = new Life();
        await using var server = new ForeignServer(life.Graceful);
        using var client = await server.HijackedAsync();
        using var idle = await server.IdleAsync();
        await life.BeginDrainAsync();
        Assert.Equal(Ending.Fin, await idle.EndAsync());
        await client.SendAsync("still here\n");
        await ForeignServer.AnswersAsync(client, "still here");
        Assert.Equal((1, false), (server.Tracker.Connections[ConnectionPhase.Hijacked], life.Graceful.Completion.IsCompleted));
        client.HalfClose();
        Assert.Equal(Ending.Fin, await client.EndAsync());
        var report = await life.ReportAsync();
        Assert.Equal((0, 1, 0), (report.ExitCode, server.Closes, (int)report.ConnectionsAborted));
    }

    [Fact]
    public async Task When_the_grace_period_is_over_what_is_left_is_aborted_and_named()
    {
        await using var life = new Life(options => options.GracePeriod = TimeSpan.FromSeconds(1));
        await using var server = new ForeignServer(life.Graceful);
        using var active = await server.ActiveAsync();
        using var hijacked = await server.HijackedAsync();
        var report = await life.LeaveAsync();
        Assert.Equal(Ending.Reset, await active.EndAsync());
        Assert.Equal(Ending.Reset, await hijacked.EndAsync());
        Assert.Equal((2, 2, 0), (report.ExitCode, (int)report.ConnectionsAborted, server.Closes));
        Assert.Equal(2, report.WorkCutOff.Count);
        Assert.All(report.WorkCutOff, held => Assert.StartsWith("connection from 127.0.0.1:", held.Name, StringComparison.Ordinal));

        // The connections are gone when the server has said so, however late that is.
        Assert.False(server.Tracker.Drained.IsCompleted);
        server.Door.Open();
        await server.Tracker.Drained.Soon("The end of the last connection");
        Assert.Equal(0, server.Tracker.Count);
    }

    [Fact]
    public async Task A_server_that_can_only_close_closes_what_is_left()
    {
        await using var life = new Life(options => options.GracePeriod = TimeSpan.FromSeconds(1));
        await using var server = new ForeignServer(life.Graceful, aborts: false);
        using var active = await server.ActiveAsync();
        var report = await life.LeaveAsync();
        await active.EndAsync();
        Assert.Equal((2, 1, 1), (report.ExitCode, (int)report.ConnectionsAborted, server.Closes));
    }

    [Fact]
    public async Task One_that_was_closed_in_vain_is_not_closed_again_when_time_is_over()
    {
        await using var life = new Life(options => (options.GracePeriod, options.QuietPeriod) = (TimeSpan.FromSeconds(1), TimeSpan.FromMilliseconds(100)));
        var closes = 0;
        using var tracker = Tracker(life, _ => Interlocked.Increment(ref closes));
        var stuck = new object();
        Assert.True(tracker.Opened(stuck));
        var report = await life.LeaveAsync();

        // The callbacks of the abort run beside the exit.
        await Quiet.LessAsync();
        Assert.Equal((2, 1), (report.ExitCode, closes));
        tracker.Closed(stuck);
        await tracker.Drained.Soon("The end of the last connection");
    }

    [Fact]
    public async Task Who_is_active_or_hijacked_when_everybody_is_told_is_asked_and_counted_as_told()
    {
        await using var life = new Life();
        await using var server = new ForeignServer(life.Graceful, asks: true);
        using var idle = await server.IdleAsync();
        using var active = await server.ActiveAsync();
        using var hijacked = await server.HijackedAsync();
        await life.BeginDrainAsync();
        await ForeignServer.AnswersAsync(active, "bye");
        await ForeignServer.AnswersAsync(hijacked, "bye");
        hijacked.HalfClose();
        server.Door.Open();
        await ForeignServer.AnswersAsync(active, "open");
        Assert.Equal(Ending.Fin, await idle.EndAsync());
        var report = await life.ReportAsync();
        Assert.Equal((0, 2, 2, 1), (report.ExitCode, server.Asks, (int)report.ConnectionsClosed, (int)report.ConnectionsTold));
    }

    [Fact]
    public async Task Who_waits_in_the_queue_when_accepting_stops_is_served()
    {
        await using var life = new Life(options => options.QuietPeriod = TimeSpan.FromMilliseconds(100));
        await using var server = new ForeignServer(life.Graceful) { Held = new TaskCompletionSource() };
        using var first = await server.NewAsync();
        using var waiting = await RawClient.ConnectAsync(server.Port);
        await waiting.SendAsync("ping\n");
        var leaving = life.LeaveAsync();
        await ForeignServer.AnswersAsync(waiting, "pong");
        Assert.Equal(Ending.Fin, await waiting.EndAsync());
        var report = await leaving;
        Assert.Equal(0, report.ExitCode);
        Assert.Equal("lines: accepting stopped, 1 accepted in the last call", Assert.Single(report.Listeners));
    }

    [Fact]
    public async Task Bytes_that_nobody_has_read_yet_are_no_silence()
    {
        await using var life = new Life(options => options.QuietPeriod = TimeSpan.FromMilliseconds(100));
        using var listener = new TcpListener(System.Net.IPAddress.Loopback, 0);
        listener.Start();
        using var client = await RawClient.ConnectAsync(listener.LocalEndpoint);
        using var slow = await listener.AcceptSocketAsync(TestContext.Current.CancellationToken);
        var closes = 0;
        using var tracker = new ConnectionTracker<Socket>(life.Graceful, new()
        {
            StopAccepting = _ => Task.CompletedTask,
            Close = socket => Interlocked.Increment(ref closes),
            SocketOf = socket => socket,
        });
        Assert.True(tracker.Opened(slow));
        await client.SendAsync("ping\n");
        await Limits.Until(() => slow.Available == 5, "the bytes are here");
        await life.BeginDrainAsync();
        await Task.Delay(5 * 100, TestContext.Current.CancellationToken);
        Assert.Equal(0, closes);
        Assert.Equal(5, slow.Receive(new byte[5]));
        await Limits.Until(() => closes == 1, "it is closed");
        tracker.Closed(slow);
        Assert.Equal(0, (await life.ReportAsync()).ExitCode);
    }

    [Fact]
    public async Task After_the_force_nobody_is_let_in_and_the_report_counts_who_was_refused()
    {
        await using var life = new Life();
        await using var server = new ForeignServer(life.Graceful);
        using var tracker = Tracker(life, _ => { });
        using var active = await server.ActiveAsync();
        life.Graceful.CloseNow();
        await life.ReportAsync();
        Assert.False(tracker.Opened(new object()));
        Assert.Equal(0, tracker.Count);
    }

    [Fact]
    public async Task A_tracker_that_comes_when_the_listeners_are_closed_is_told_to_stop_at_once()
    {
        await using var life = new Life();
        using var work = life.Graceful.Begin("work");
        await life.BeginDrainAsync();
        await using var late = new ForeignServer(life.Graceful);
        await Limits.Until(() => late.Stops == 1, "it is told to stop accepting");
        await late.Tracker.Drained.Soon("Its end");
        work.Dispose();
        Assert.Equal(0, (await life.ReportAsync()).ExitCode);
    }

    [Fact]
    public async Task The_record_of_a_way_out_is_the_same_again_when_it_is_replayed()
    {
        var record = Path.GetTempFileName();
        try
        {
            await using (var life = new Life(options => (options.Record, options.GracePeriod) = (record, TimeSpan.FromSeconds(10))))
            {
                await using var server = new ForeignServer(life.Graceful, asks: true);
                using var idle = await server.IdleAsync();
                using var active = await server.ActiveAsync();
                using var hijacked = await server.HijackedAsync();
                await life.BeginDrainAsync();
                Assert.Equal(Ending.Fin, await idle.EndAsync());
                server.Door.Open();
                await ForeignServer.AnswersAsync(active, "bye");
                await ForeignServer.AnswersAsync(active, "open");
                Assert.Equal(Ending.Fin, await active.EndAsync());
                life.Graceful.CloseNow();
                Assert.Equal(3, (await life.ReportAsync()).ExitCode);
            }

            using var output = new StringWriter();
            using var errors = new StringWriter();
            Assert.Equal(0, Replay.Replayer.Run(["--all", record], output, errors));
            Assert.Contains("connection MarkIdle, Close", output.ToString(), StringComparison.Ordinal);
            Assert.Contains("the same states and orders again: exited with code 3.", output.ToString(), StringComparison.Ordinal);
        }
        finally
        {
            File.Delete(record);
        }
    }

    [Fact]
    public async Task Two_trackers_beside_Kestrel_share_its_way_out()
    {
        await using var app = await TestApp.StartAsync();
        await using var one = new ForeignServer(app.Graceful, name: "one");
        await using var other = new ForeignServer(app.Graceful, name: "other");
        using var http = await RawClient.IdleAsync(app.Port);
        using var line = await one.IdleAsync();
        using var active = await other.ActiveAsync();
        app.Graceful.Close();
        Assert.Equal(Ending.Fin, await http.EndAsync());
        Assert.Equal(Ending.Fin, await line.EndAsync());
        await one.Tracker.Drained.Soon("The end of one");
        Assert.False(other.Tracker.Drained.IsCompleted);
        Assert.False(app.Graceful.Completion.IsCompleted);
        other.Door.Open();
        await ForeignServer.AnswersAsync(active, "open");
        var report = await app.ReportAsync();
        Assert.Equal((0, 3), (report.ExitCode, report.Listeners.Count));
    }

    [Fact]
    public async Task A_request_that_is_only_told_may_stay_as_long_as_a_tracked_connection_is_active()
    {
        await using var app = await TestApp.StartAsync(
            options => options.QuietPeriod = TimeSpan.FromMilliseconds(50),
            map: app => app.MapGet("/told", async (CancellationToken aborted) => await Task.Delay(Timeout.Infinite, aborted)).WithDrain(DrainMode.ToldOnly));
        await using var server = new ForeignServer(app.Graceful);
        using var active = await server.ActiveAsync();
        using var told = await RawClient.ConnectAsync(app.Port);
        await told.SendGetAsync("/told");
        await Limits.Until(() => app.Engine.RequestsInFlight == 2, "both are inside");
        await app.BeginDrainAsync();
        await Quiet.LessAsync();
        Assert.False(told.HasNews);
        server.Door.Open();
        await told.EndAsync();
        Assert.Equal(1, (await app.ReportAsync()).RequestsLetGo);
    }

    [Fact]
    public async Task A_tracker_that_is_disposed_is_not_told_and_its_connections_are_waited_for()
    {
        await using var life = new Life();
        var stops = 0;
        var tracker = new ConnectionTracker<object>(life.Graceful, new()
        {
            StopAccepting = _ => Task.FromResult(Interlocked.Increment(ref stops)),
            Close = _ => { },
        });
        var (active, other) = (new object(), new object());
        Assert.True(tracker.Opened(active) && tracker.Active(active) && tracker.Opened(other));
        tracker.Dispose();
        tracker.Dispose();
        tracker.Closed(other);
        await life.BeginDrainAsync();
        await Quiet.LessAsync();
        Assert.False(life.Graceful.Completion.IsCompleted || tracker.Drained.IsCompleted);
        Assert.False(tracker.Idle(active));
        tracker.Closed(active);
        await tracker.Drained.Soon("The end of the last connection");
        Assert.Equal((0, 0), ((await life.ReportAsync()).ExitCode, stops));
    }

    private static ConnectionTracker<object> Tracker(Life life, Action<object> close) =>
        new(life.Graceful, new() { StopAccepting = _ => Task.CompletedTask, Close = close });
}
