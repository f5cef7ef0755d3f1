using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using Graceful.Tests.Support;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;

namespace Graceful.Tests.FastCgi;

/// <summary>FastCGI has no word for leaving but the close: it comes right behind the end of a request.</summary>
public sealed class Drains
{
    [Fact]
    public async Task A_request_in_flight_finishes_and_its_connection_ends_whatever_keep_conn_said()
    {
        await using var app = await Responses.StartAsync(Quiet.Long);
        using var client = await RawFastCgiClient.ConnectAsync(app.Port);
        await client.SendGetAsync("/door");
        await app.Door.Reached();
        await app.BeginDrainAsync();
        app.Door.Open();
        Assert.Equal("ok, at last", (await client.ReadAsync()).Text);
        Assert.Equal(Ending.Fin, await client.EndAsync());
        var report = await app.ReportAsync();
        Assert.Equal((0, 1L, 1L, 0L, 1), (report.ExitCode, report.ConnectionsTold, report.ConnectionsClosed, report.ConnectionsAborted, report.RequestsFinished));
    }

    [Fact]
    public async Task The_close_is_right_behind_the_end_of_the_request_and_waits_for_no_callback()
    {
        var (first, late) = (new Door(), new Door());
        await using var app = await Responses.StartAsync(Quiet.Long, more => more.MapGet("/callback", async (HttpContext context) =>
        {
            context.Response.OnCompleted(late.PassAsync);
            await first.PassAsync();
            return "ok";
        }));
        using var client = await RawFastCgiClient.ConnectAsync(app.Port);
        await client.SendGetAsync("/callback");
        await first.Reached();
        await app.BeginDrainAsync();
        first.Open();
        Assert.Equal("ok", (await client.ReadAsync()).Text);
        Assert.Equal(Ending.Fin, await client.EndAsync());
        await late.Reached();
        Assert.False(app.Graceful.Completion.IsCompleted);
        late.Open();
        Assert.Equal(0, (await app.ReportAsync()).ExitCode);
    }

    [Fact]
    public async Task Who_reads_the_end_of_his_last_request_finds_that_of_the_connection_in_the_same_moment()
    {
        await using var app = await Responses.StartAsync(Quiet.Long);
        var clients = new List<Socket>();
        for (var i = 0; i < 40; i++)
        {
            var client = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            clients.Add(client);
            await client.ConnectAsync(IPAddress.Loopback, app.Port);
        }

        await Limits.Until(() => app.Engine.ConnectionsByPhase()[(int)ConnectionPhase.New] == clients.Count, "all are there");
        await app.BeginDrainAsync();
        var buffer = new byte[4096];
        foreach (var client in clients)
        {
            await client.SendAsync(RawFastCgiClient.Request(RawFastCgiClient.Variables("GET", "/")));
            var read = 0;
            while (read < 16 || buffer[read - 15] != RawFastCgiClient.End)
            {
                var some = client.Receive(buffer.AsSpan(read));
                Assert.NotEqual(0, some);
                read += some;
            }

            Assert.True(client.Poll(TimeSpan.Zero, SelectMode.SelectRead));
            Assert.Equal(0, client.Receive(buffer));
            client.Dispose();
        }

        Assert.Equal(0, (await app.ReportAsync()).ExitCode);
    }

    [Fact]
    public async Task A_response_that_has_begun_finishes_too()
    {
        await using var app = await Responses.StartAsync(Quiet.Long);
        using var client = await RawFastCgiClient.ConnectAsync(app.Port);
        await client.SendGetAsync("/late");
        Assert.Equal(RawFastCgiClient.Stdout, (await client.ReadRecordAsync()).Type);
        await app.BeginDrainAsync();
        app.Door.Open();
        Assert.Equal("second", (await client.ReadAsync()).Text);
        Assert.Equal(Ending.Fin, await client.EndAsync());
        Assert.Equal(0, (await app.ReportAsync()).ExitCode);
    }

    [Fact]
    public async Task An_idle_connection_ends_by_the_quiet_period_and_so_does_one_that_never_asked_or_began_to_ask()
    {
        await using var app = await Responses.StartAsync();
        using var idle = await RawFastCgiClient.ConnectAsync(app.Port);
        Assert.Equal("ok", (await idle.GetAsync("/")).Text);
        using var fresh = await RawFastCgiClient.ConnectAsync(app.Port);
        using var half = await RawFastCgiClient.ConnectAsync(app.Port);
        await half.SendAsync(RawFastCgiClient.BeginRecord());
        using var torn = await RawFastCgiClient.ConnectAsync(app.Port);
        await torn.SendAsync(RawFastCgiClient.BeginRecord().AsMemory(0, 5));
        await Limits.Until(() => app.Engine.ConnectionsByPhase() is { } counts && counts[(int)ConnectionPhase.New] == 3, "all are there");
        var report = await app.LeaveAsync();
        foreach (var client in (RawFastCgiClient[])[idle, fresh, half, torn])
        {
            Assert.Equal(Ending.Fin, await client.EndAsync());
        }

        Assert.Equal((0, 0L), (report.ExitCode, report.ConnectionsAborted));
        Assert.InRange(report.Duration.TotalSeconds, 0.3, 8);
    }

    [Fact]
    public async Task A_request_that_comes_in_the_drain_is_served_and_is_the_last_of_its_connection()
    {
        await using var app = await Responses.StartAsync(Quiet.Long);
        using var idle = await RawFastCgiClient.ConnectAsync(app.Port);
        Assert.Equal("ok", (await idle.GetAsync("/")).Text);
        using var fresh = await RawFastCgiClient.ConnectAsync(app.Port);
        using var half = await RawFastCgiClient.ConnectAsync(app.Port);
        var request = RawFastCgiClient.Request(RawFastCgiClient.Variables("GET", "/"));
        await half.SendAsync(request.AsMemory(0, 100));
        await Limits.Until(() => app.Engine.ConnectionsByPhase() is { } counts && counts[(int)ConnectionPhase.New] == 2, "all are there");
        await app.BeginDrainAsync();
        await half.SendAsync(request.AsMemory(100));
        await fresh.SendAsync(request);
        await idle.SendAsync(request);
        foreach (var client in (RawFastCgiClient[])[idle, fresh, half])
        {
            Assert.Equal("ok", (await client.ReadAsync()).Text);
            Assert.Equal(Ending.Fin, await client.EndAsync());
        }

        var report = await app.ReportAsync();
        Assert.Equal((0, 3L), (report.ExitCode, report.ConnectionsTold));
    }

    [Fact]
    public async Task A_lame_duck_ends_connections_behind_their_requests_and_takes_new_ones()
    {
        await using var app = await Responses.StartAsync(options => options.LameDuck = TimeSpan.FromSeconds(20));
        using var client = await RawFastCgiClient.ConnectAsync(app.Port);
        Assert.Equal("ok", (await client.GetAsync("/")).Text);
        await app.BeginLameDuckAsync();
        Assert.Equal("ok", (await client.GetAsync("/")).Text);
        Assert.Equal(Ending.Fin, await client.EndAsync());
        using var late = await RawFastCgiClient.ConnectAsync(app.Port);
        Assert.Equal("ok", (await late.GetAsync("/")).Text);
        Assert.Equal(Ending.Fin, await late.EndAsync());
        app.Graceful.CloseNow();
    }

    [Fact]
    public async Task When_time_is_up_a_request_is_aborted_without_an_end_and_the_report_names_it()
    {
        var aborted = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var inside = new TaskCompletionSource<IGracefulFeature>(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var app = await Responses.StartAsync(
            options => options.GracePeriod = TimeSpan.FromSeconds(1),
            more => more.MapGet("/stuck", async (HttpContext context) =>
            {
                inside.TrySetResult(context.Graceful());
                await Task.Delay(Timeout.Infinite, context.RequestAborted).ContinueWith(_ => { }, TaskScheduler.Default);
                aborted.TrySetResult();
            }));
        using var client = await RawFastCgiClient.ConnectAsync(app.Port);
        await client.SendGetAsync("/stuck");
        var way = await inside.Task.Soon("The request");
        Assert.False(way.IsDraining);
        var report = await app.LeaveAsync();
        await aborted.Task.Soon("RequestAborted");
        Assert.True(way.IsDraining);
        Assert.Equal("", (await client.Raw.ReadToEndAsync()).Text);
        Assert.Equal((2, 1L), (report.ExitCode, report.ConnectionsAborted));
        Assert.Contains("GET /stuck", report.ToString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(DrainMode.AbortAtOnce)]
    [InlineData(DrainMode.NotCounted)]
    [InlineData(DrainMode.ToldOnly)]
    public async Task An_endpoint_that_says_so_is_cut_off(DrainMode mode)
    {
        var inside = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var app = await Responses.StartAsync(map: more => more.MapGet("/stay", async (HttpContext context) =>
        {
            inside.TrySetResult();
            await Task.Delay(Timeout.Infinite, context.RequestAborted);
        }).WithDrain(mode));
        using var client = await RawFastCgiClient.ConnectAsync(app.Port);
        await client.SendGetAsync("/stay");
        await inside.Task.Soon("The request");
        Assert.Equal(mode == DrainMode.NotCounted ? 0 : 1, app.Engine.RequestsInFlight);
        var report = await app.LeaveAsync();
        Assert.Equal("", (await client.Raw.ReadToEndAsync()).Text);
        Assert.Equal((0, mode == DrainMode.NotCounted ? 0 : 1), (report.ExitCode, report.RequestsLetGo));
    }

    [Fact]
    public async Task Its_phases_are_those_of_any_connection()
    {
        var seen = new ConcurrentQueue<string>();
        await using var app = await Responses.StartAsync(options => options.StateHandler = (_, from, to) => seen.Enqueue($"{from}-{to}"));
        using (var client = await RawFastCgiClient.ConnectAsync(app.Port))
        {
            Assert.Equal("ok", (await client.GetAsync("/")).Text);
            Assert.Equal("ok", (await client.GetAsync("/")).Text);
            await Limits.Until(() => seen.Count == 4, "the second request has ended");
        }

        await Limits.Until(() => seen.Count == 5, "the connection is gone");
        Assert.Equal(["New-Active", "Active-Idle", "Idle-Active", "Active-Idle", "Idle-Closed"], seen);
    }

    [Fact]
    public async Task On_a_Unix_socket_the_file_goes_and_who_is_connected_is_served()
    {
        var folder = Directory.CreateTempSubdirectory("graceful");
        try
        {
            var path = Path.Combine(folder.FullName, "socket");
            await using var app = await TestApp.StartAsync(
                Quiet.Long, build: builder => builder.WebHost.ConfigureKestrel(kestrel => kestrel.ListenUnixSocket(path, endpoint => endpoint.UseFastCgi())));
            var clients = new List<RawFastCgiClient>();
            for (var count = 0; count < 20; count++)
            {
                var client = await RawFastCgiClient.ConnectAsync(new UnixDomainSocketEndPoint(path));
                Assert.Equal("ok", (await client.GetAsync("/")).Text);
                clients.Add(client);
            }

            await app.BeginDrainAsync();
            Assert.False(File.Exists(path));
            foreach (var client in clients)
            {
                Assert.Equal("ok", (await client.GetAsync("/")).Text);

                // However soon it asks again, it knows that nobody has heard.
                var error = await Assert.ThrowsAnyAsync<IOException>(() => client.SendGetAsync("/"));
                Assert.Equal(SocketError.Shutdown, Assert.IsType<SocketException>(error.InnerException).SocketErrorCode);
                Assert.Equal(Ending.Fin, await client.EndAsync());
                client.Dispose();
            }

            Assert.Equal(0, (await app.ReportAsync()).ExitCode);
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    [Fact]
    public async Task Under_load_no_request_is_lost_but_to_a_close_that_its_client_can_see()
    {
        await using var app = await Responses.StartAsync();
        var served = 0;
        var clients = Enumerable.Range(0, 8).Select(_ => Task.Run(() => AskAsync())).ToList();
        await Limits.Until(() => Volatile.Read(ref served) > 200, "the load is on");
        var report = await app.LeaveAsync();
        await Task.WhenAll(clients).Soon("The clients");
        Assert.Equal((0, 0L), (report.ExitCode, report.ConnectionsAborted));

        async Task AskAsync()
        {
            using var client = await RawFastCgiClient.ConnectAsync(app.Port);
            while (true)
            {
                var answer = await client.GetAsync("/");
                Assert.Equal((200, "ok"), (answer.Status, answer.Text));
                Interlocked.Increment(ref served);
                if (app.Graceful.IsStopping)
                {
                    // The close is right behind the end of the request, or one more request is served.
                    await Quiet.LessAsync();
                    if (client.Raw.HasNews)
                    {
                        Assert.Equal(Ending.Fin, await client.EndAsync());
                        return;
                    }
                }
            }
        }
    }
}
