using Graceful.Tests.Support;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Graceful.Tests.Servers;

/// <summary>What manners promised of its server, and what one that serves again needs.</summary>
public sealed class ServesUntilClosed
{
    [Fact]
    public async Task It_takes_three_lines()
    {
        Assert.False(GracefulServer.Default.Started.IsCompleted);
        var serving = GracefulServer.ListenAndServeAsync(Serving.Loopback, Serving.Ok);
        await GracefulServer.Default.Started.Soon();
        using (var client = await RawClient.ConnectAsync(Serving.PortOf(GracefulServer.Default)))
        {
            Assert.Equal(200, (await client.GetAsync("/")).Status);
        }

        Assert.Throws<InvalidOperationException>(() => { _ = GracefulServer.ListenAndServeAsync(Serving.Loopback, Serving.Ok); });
        Assert.True(GracefulServer.Default.Close());
        Assert.Equal(0, (await serving.Soon()).ExitCode);
    }

    [Fact]
    public async Task A_request_in_flight_is_finished_and_an_idle_client_is_told()
    {
        var door = new Door();
        await using var serving = await Serving.StartAsync(
            async context =>
            {
                if (context.Request.Path == "/door")
                {
                    await door.PassAsync();
                }

                await Serving.Ok(context);
            },
            server => server.Configure(Quiet.Long));
        using var busy = await RawClient.ConnectAsync(serving.Port);
        using var idle = await RawClient.IdleAsync(serving.Port);
        await busy.SendGetAsync("/door");
        await door.Reached();
        Assert.Equal(1, serving.Server.ConnectionCount);
        Assert.True(serving.Server.Close());
        Assert.False(serving.Server.Close());
        Assert.False(serving.Server.Close("a test"));
        await Limits.Until(() => serving.Server.Started.Result.IsStopping, "it leaves");
        await Assert.ThrowsAnyAsync<Exception>(() => UntilRefusedAsync(serving.Port));
        Assert.False(serving.Report.IsCompleted);
        var told = await idle.GetAsync("/");
        Assert.True(told.IsTold);
        Assert.Equal(Ending.Fin, await idle.EndAsync());
        door.Open();
        Assert.True((await busy.ReadAsync()).IsTold);
        var report = await serving.Report.Soon();
        Assert.Equal((0, 2L), (report.ExitCode, report.ConnectionsTold));
        Assert.Same(report, await serving.Server.Completion);
        Assert.Equal(StopCause.Requested, serving.Server.Reason!.Value.Cause);
        Assert.Null(serving.Server.SignalReceived);
        Assert.False(serving.Server.Close());
    }

    [Fact]
    public async Task CloseAsync_waits_for_the_end_and_the_second_caller_waits_for_the_same()
    {
        var door = new Door();
        await using var serving = await Serving.StartAsync(_ => door.PassAsync());
        using var busy = await RawClient.ConnectAsync(serving.Port);
        await busy.SendGetAsync("/");
        await door.Reached();
        var (first, second) = (serving.Server.CloseAsync(), serving.Server.CloseAsync());
        using (var impatient = new CancellationTokenSource(TimeSpan.FromMilliseconds(50)))
        {
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => serving.Server.CloseAsync(impatient.Token).Soon());
        }

        Assert.False(first.IsCompleted || second.IsCompleted);
        door.Open();
        Assert.Equal((true, false), (await first.Soon(), await second.Soon()));
        Assert.True(serving.Report.IsCompleted);
        Assert.False(await serving.Server.CloseAsync().Soon());
    }

    [Fact]
    public async Task Closed_before_it_serves_it_ends_at_once_and_its_hooks_run()
    {
        var hooks = 0;
        await using var server = new GracefulServer(Serving.Loopback, Serving.Ok).Configure(options => options.OnDrained("flush", TimeSpan.FromSeconds(5), (_, _) =>
        {
            hooks++;
            return Task.CompletedTask;
        }));
        Assert.True(server.Close("an early bird"));
        Assert.False(server.Close());
        Assert.False(await server.CloseAsync().Soon());
        var report = await server.ListenAndServeAsync().Soon();
        Assert.Equal("request of an early bird", report.Reason.ToString());
        Assert.Equal((0, 1), (report.ExitCode, hooks));
        Assert.NotEmpty(server.Addresses);
    }

    [Fact]
    public async Task After_an_end_it_serves_again_on_the_same_port_and_each_turn_has_its_own_life()
    {
        var hooks = new List<string>();
        await using var server = new GracefulServer(Serving.Loopback, Serving.Ok).Configure(options => options.OnDrained("flush", TimeSpan.FromSeconds(5), (reason, _) =>
        {
            hooks.Add(reason.ToString());
            return Task.CompletedTask;
        }));
        for (var turn = 1; turn <= 3; turn++)
        {
            var serving = await Serving.StartAsync(server);
            var started = server.Started;
            Assert.Null(server.Reason);
            using var client = await RawClient.IdleAsync(serving.Port);
            Assert.Throws<InvalidOperationException>(() => { _ = server.ListenAndServeAsync(); });
            Assert.True(server.Close($"turn {turn}"));
            Assert.Equal(Ending.Fin, await client.EndAsync());
            var report = await serving.Report.Soon();
            Assert.Equal($"request of turn {turn}", report.Reason.ToString());
            Assert.Equal(1, report.ConnectionsClosed);
            Assert.Same(started, server.Started);
            server.Address = $"127.0.0.1:{serving.Port}";
            Assert.False(server.Close());
        }

        Assert.Equal(["request of turn 1", "request of turn 2", "request of turn 3"], hooks);
    }

    [Fact]
    public async Task Several_serve_at_once_and_each_is_closed_alone()
    {
        await using var one = await Serving.StartAsync();
        await using var other = await Serving.StartAsync();
        await one.CloseAsync();
        using var client = await RawClient.ConnectAsync(other.Port);
        Assert.False((await client.GetAsync("/")).IsTold);
        Assert.False(other.Report.IsCompleted);
        await other.CloseAsync();
    }

    [Fact]
    public async Task A_token_closes_it()
    {
        using var stop = new CancellationTokenSource();
        var server = new GracefulServer(Serving.Loopback, Serving.Ok);
        await using var serving = await Serving.StartAsync(server, server.ListenAndServeAsync(stop.Token));
        await stop.CancelAsync();
        Assert.Equal(StopCause.HostStopped, (await serving.Report.Soon()).Reason.Cause);
        Assert.Equal(StopCause.HostStopped, (await server.ListenAndServeAsync(stop.Token).Soon()).Reason.Cause);
    }

    [Fact]
    public async Task Disposed_it_has_ended_and_serves_no_more()
    {
        var serving = await Serving.StartAsync();
        await serving.Server.DisposeAsync().AsTask().Soon();
        Assert.True(serving.Report.IsCompletedSuccessfully);
        Assert.Throws<ObjectDisposedException>(() => { _ = serving.Server.ListenAndServeAsync(); });
        Assert.Throws<ObjectDisposedException>(() => serving.Server.CloseOnSignals());
        await serving.Server.DisposeAsync().AsTask().Soon();
        await new GracefulServer().DisposeAsync().AsTask().Soon();
    }

    [Fact]
    public async Task Work_that_is_no_request_is_waited_for()
    {
        await using var serving = await Serving.StartAsync();
        var work = serving.Server.Begin("import");
        Assert.True(serving.Server.Close());
        await Limits.Until(() => serving.Server.Started.Result.Work.Count == 1 && serving.Server.Started.Result.IsStopping, "it leaves");
        await Assert.ThrowsAnyAsync<Exception>(() => UntilRefusedAsync(serving.Port));
        Assert.False(serving.Report.IsCompleted);
        work.Dispose();
        work.Dispose();
        Assert.Equal(1, (await serving.Report.Soon()).WorkFinished);
        serving.Server.Begin("too late").Dispose();

        var unborn = new GracefulServer();
        Assert.Contains("'early' begins before the server", Assert.Throws<InvalidOperationException>(() => unborn.Begin("early")).Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentException>(() => unborn.Begin(" "));
    }

    [Fact]
    public async Task Inside_a_hook_CloseAsync_does_not_wait()
    {
        GracefulServer? server = null;
        await using var serving = await Serving.StartAsync(with: made =>
        {
            server = made;
            made.Configure(options => options.OnStopping("ask again", TimeSpan.FromSeconds(10), (_, token) => server!.CloseAsync(token)));
        });
        Assert.Equal(0, (await serving.CloseAsync()).ExitCode);
    }

    [Fact]
    public async Task The_state_handler_sees_what_clients_do()
    {
        var edges = new List<(ConnectionPhase From, ConnectionPhase To)>();
        await using var serving = await Serving.StartAsync(with: server => server.StateHandler = (_, from, to) =>
        {
            lock (edges)
            {
                edges.Add((from, to));
            }
        });
        using (await RawClient.IdleAsync(serving.Port))
        {
            await serving.CloseAsync();
        }

        Assert.Equal(
            [(ConnectionPhase.New, ConnectionPhase.Active), (ConnectionPhase.Active, ConnectionPhase.Idle), (ConnectionPhase.Idle, ConnectionPhase.Closed)], edges);
    }

    [Fact]
    public async Task It_logs_where_it_is_told_to()
    {
        using var log = new LogBook();
        using var loggers = LoggerFactory.Create(logging => logging.AddProvider(log));
        await using (var serving = await Serving.StartAsync(_ => throw new InvalidOperationException("as planned"), server => server.CloseOnSignals("SIGFOO").LoggerFactory = loggers))
        {
            using var client = await RawClient.ConnectAsync(serving.Port);
            Assert.Equal(500, (await client.GetAsync("/")).Status);
            await serving.CloseAsync();
        }

        Assert.Contains(log.Entries, entry => entry.Error?.Message == "as planned");
        Assert.Contains(log.OfGraceful, entry => entry.Text.StartsWith("Left after", StringComparison.Ordinal));
        Assert.True(log.Has("The signal 'SIGFOO' is not known here"));
        Assert.DoesNotContain(log.Entries, entry => entry.Text.Contains("Ctrl+C", StringComparison.Ordinal));
        Assert.True(loggers.CreateLogger("still there").IsEnabled(LogLevel.Information));
    }

    [Fact]
    public async Task Options_that_make_no_sense_fail_what_serves_and_the_next_time_may_go_well()
    {
        var quiet = TimeSpan.FromSeconds(-1);
        await using var server = new GracefulServer(Serving.Loopback, Serving.Ok).Configure(options => options.QuietPeriod = quiet);
        var started = server.Started;
        var e = await Assert.ThrowsAsync<OptionsValidationException>(() => server.ListenAndServeAsync().Soon());
        Assert.Contains("QuietPeriod is -00:00:01", e.Message, StringComparison.Ordinal);
        Assert.Same(e, await Assert.ThrowsAsync<OptionsValidationException>(() => started));
        Assert.Same(e, await Assert.ThrowsAsync<OptionsValidationException>(() => server.Completion));
        Assert.Null(server.Reason);
        quiet = TimeSpan.Zero;
        Assert.Equal(0, (await (await Serving.StartAsync(server)).CloseAsync()).ExitCode);
    }

    [Fact]
    public async Task Kestrel_is_the_users_to_configure()
    {
        await using var serving = await Serving.StartAsync(with: server => server.ConfigureKestrel(kestrel => kestrel.Limits.MaxRequestHeaderCount = 1));
        using var client = await RawClient.ConnectAsync(serving.Port);
        await client.SendAsync("GET / HTTP/1.1\r\nHost: localhost\r\nMore: 1\r\n\r\n");
        Assert.Equal(431, (await client.ReadAsync()).Status);
    }

    [Fact]
    public async Task What_is_cut_off_is_in_the_report()
    {
        var door = new Door();
        await using var serving = await Serving.StartAsync(_ => door.PassAsync(), server => server.Configure(options => options.GracePeriod = TimeSpan.FromMilliseconds(200)));
        using var client = await RawClient.ConnectAsync(serving.Port);
        await client.SendGetAsync("/");
        await door.Reached();
        var report = await serving.CloseAsync();
        door.Open();
        Assert.Equal((2, 1L), (report.ExitCode, report.ConnectionsAborted));
    }

    /// <summary>Ends with the refusal, or fails the test when it does not come.</summary>
    private static async Task UntilRefusedAsync(int port)
    {
        var end = Environment.TickCount64 + (long)Limits.Hang.TotalMilliseconds;
        while (Environment.TickCount64 < end)
        {
            (await RawClient.ConnectAsync(port)).Dispose();
            await Task.Delay(5);
        }
    }
}
