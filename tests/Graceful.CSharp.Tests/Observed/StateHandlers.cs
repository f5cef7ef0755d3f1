using System.Collections.Concurrent;
using Graceful.Tests.Support;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.Logging;

namespace Graceful.Tests.Observed;

public sealed class StateHandlers
{
    private readonly ConcurrentQueue<(string Id, ConnectionPhase From, ConnectionPhase To)> _edges = new();

    private IEnumerable<string> Edges => _edges.Select(edge => $"{edge.From} to {edge.To}");

    [Fact]
    public async Task It_sees_every_phase_of_a_connection_in_order()
    {
        await using var app = await TestApp.StartAsync(Observe);
        using (var client = await RawClient.IdleAsync(app.Port))
        {
            Assert.Equal(200, (await client.GetAsync("/")).Status);
        }

        await Limits.Until(() => _edges.Count == 5, "five edges");
        Assert.Equal(["New to Active", "Active to Idle", "Idle to Active", "Active to Idle", "Idle to Closed"], Edges);
        Assert.Single(_edges.Select(edge => edge.Id).Distinct());
    }

    [Fact]
    public async Task A_connection_that_is_only_opened_goes_from_new_to_closed()
    {
        await using var app = await TestApp.StartAsync(Observe);
        using (await RawClient.ConnectAsync(app.Port))
        {
            await app.Log.Until("accepted");
        }

        await Limits.Until(() => !_edges.IsEmpty, "an edge");
        Assert.Equal(["New to Closed"], Edges);
    }

    [Fact]
    public async Task In_the_drain_a_connection_goes_from_active_to_closed_and_an_idle_one_to_closed()
    {
        await using var app = await TestApp.StartAsync(Observe);
        using var active = await RawClient.ConnectAsync(app.Port);
        await active.SendGetAsync("/door");
        await app.Door.Reached();
        await app.BeginDrainAsync();
        app.Door.Open();
        await active.ReadAsync();
        await app.ReportAsync();
        await Limits.Until(() => _edges.Count == 2, "two edges");
        Assert.Equal(["New to Active", "Active to Closed"], Edges);
    }

    [Fact]
    public async Task An_upgraded_one_is_hijacked_and_then_closed()
    {
        await using var app = await TestApp.StartAsync(Observe);
        using (var client = await UpgradedAsync(app))
        {
            await client.SendAsync("hello");
            Assert.Equal("hello"u8.ToArray(), await client.ReadBytesAsync(5));
        }

        await Limits.Until(() => _edges.Count == 3, "three edges");
        Assert.Equal(["New to Active", "Active to Hijacked", "Hijacked to Closed"], Edges);
    }

    [Fact]
    public async Task Requests_that_overlap_on_HTTP_2_make_it_active_once_until_the_last_one_ends()
    {
        await using var app = await TestApp.StartAsync(Observe, listen => listen.Protocols = HttpProtocols.Http2);
        using var client = await RawHttp2Client.ConnectAsync(app.Port);
        await client.SendGetAsync("/door");
        await client.SendGetAsync("/door");
        await app.Door.Reached(2);
        var third = await client.SendGetAsync("/");
        Assert.Equal("ok", await client.ReadAsync(third));
        Assert.Equal(["New to Active"], Edges);
        app.Door.Open();
        await Limits.Until(() => _edges.Count == 2, "two edges");
        Assert.Equal(["New to Active", "Active to Idle"], Edges);
    }

    [Fact]
    public async Task One_that_throws_is_logged_and_harms_nothing()
    {
        await using var app = await TestApp.StartAsync(options => options.StateHandler = (_, _, _) => throw new InvalidOperationException("as planned"));
        using var client = await RawClient.IdleAsync(app.Port);
        Assert.Equal(200, (await client.GetAsync("/")).Status);
        var report = await app.LeaveAsync();
        Assert.Equal(Ending.Fin, await client.EndAsync());
        Assert.Equal(0, report.ExitCode);
        Assert.Contains(app.Log.OfGraceful, entry => entry.Level == LogLevel.Error && entry.Error?.Message == "as planned");
    }

    [Fact]
    public async Task One_that_blocks_when_the_server_closes_a_connection_does_not_hold_the_stop()
    {
        using var open = new ManualResetEventSlim();
        await using var app = await TestApp.StartAsync(options => options.StateHandler = (_, _, to) =>
        {
            if (to == ConnectionPhase.Closed)
            {
                open.Wait();
            }
        });
        using var client = await RawClient.IdleAsync(app.Port);
        var report = await app.LeaveAsync();
        open.Set();
        Assert.Equal(0, report.ExitCode);
    }

    [Fact]
    public async Task Under_load_the_edges_of_each_connection_fit_together()
    {
        await using var app = await TestApp.StartAsync(options =>
        {
            Observe(options);
            options.QuietPeriod = TimeSpan.Zero;
        });
        var clients = await Task.WhenAll(Enumerable.Range(0, 16).Select(_ => RawClient.ConnectAsync(app.Port)));
        var loads = clients.Select(client => Task.Run(async () =>
        {
            try
            {
                while (!(await client.GetAsync("/")).IsTold)
                {
                }
            }
            catch (IOException)
            {
                // Without a quiet period a request may meet the close.
            }
        })).ToList();
        await Limits.Until(() => _edges.Count > 1000, "a thousand edges");
        await app.LeaveAsync();
        await Task.WhenAll(loads).Soon();
        await Limits.Until(() => _edges.Count(edge => edge.To == ConnectionPhase.Closed) == clients.Length, "all are closed");
        foreach (var client in clients)
        {
            client.Dispose();
        }

        foreach (var life in _edges.GroupBy(edge => edge.Id))
        {
            var at = ConnectionPhase.New;
            foreach (var (_, from, to) in life.OrderBy(edge => edge.To == ConnectionPhase.Closed))
            {
                Assert.Equal(at, from);
                at = to;
            }

            Assert.Equal(ConnectionPhase.Closed, at);
        }
    }

    [Fact]
    public async Task An_upgraded_connection_is_aborted_when_the_grace_period_is_over()
    {
        await using var app = await TestApp.StartAsync(options =>
        {
            Observe(options);
            options.GracePeriod = TimeSpan.FromMilliseconds(700);
        });
        using var client = await UpgradedAsync(app);
        var report = await app.LeaveAsync();
        Assert.Equal(Ending.Reset, await client.EndAsync());
        Assert.Equal((2, 1L), (report.ExitCode, report.ConnectionsAborted));
        Assert.Equal("/upgrade", Assert.Single(report.CutOff).Path);
    }

    private static async Task<RawClient> UpgradedAsync(TestApp app)
    {
        var client = await RawClient.ConnectAsync(app.Port);
        await client.SendAsync("GET /upgrade HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n");
        Assert.Equal(101, (await client.ReadHeadAsync()).Status);
        return client;
    }

    private void Observe(GracefulOptions options) => options.StateHandler = (id, from, to) => _edges.Enqueue((id, from, to));
}
