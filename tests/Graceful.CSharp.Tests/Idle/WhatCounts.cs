using System.Net;
using System.Net.WebSockets;
using Graceful.Tests.Support;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using static Graceful.ConnectionPhase;

namespace Graceful.Tests.Idle;

/// <summary>Who keeps a server, and since when it is quiet.</summary>
public sealed class WhatCounts
{
    private static readonly TimeSpan Minute = TimeSpan.FromMinutes(1);

    [Fact]
    public async Task Where_nobody_ever_came_it_leaves_at_the_limit_and_not_before()
    {
        await using var server = await Idling.StartAsync();
        await server.PassAsync(Idling.Limit - TimeSpan.FromTicks(1));
        server.MustLookAgainIn(TimeSpan.FromTicks(1));
        await server.PassAsync(TimeSpan.FromTicks(1));
        var report = await server.MustLeaveAsync();
        Assert.Equal((0L, 0), (report.ConnectionsClosed, report.RequestsFinished));
    }

    [Fact]
    public async Task Without_a_limit_it_never_looks()
    {
        var time = new ManualTime();
        await using var app = await TestApp.StartAsync(options => options.TimeProvider = time);
        Assert.Null(time.NextDue);
        Assert.Null(app.Engine.Idle);
    }

    [Fact]
    public async Task A_connection_that_is_kept_is_no_use_but_the_request_on_it_was_one()
    {
        await using var server = await Idling.StartAsync();
        await server.PassAsync(4 * Minute);
        using var kept = await RawClient.IdleAsync(server.App.Port);
        await server.Until(ConnectionPhase.Idle);
        await server.PassAsync(6 * Minute);
        server.MustLookAgainIn(4 * Minute);
        await server.PassAsync(4 * Minute);
        var report = await server.MustLeaveAsync();
        Assert.Equal(1, report.ConnectionsClosed);
        Assert.Equal(Ending.Fin, await kept.EndAsync());
    }

    [Fact]
    public async Task So_it_was_on_a_connection_that_has_gone()
    {
        await using var server = await Idling.StartAsync();
        await server.PassAsync(4 * Minute);
        using (await RawClient.IdleAsync(server.App.Port))
        {
            await server.Until(ConnectionPhase.Idle);
        }

        await server.Until();
        await server.PassAsync(6 * Minute);
        server.MustLookAgainIn(4 * Minute);
        await server.PassAsync(4 * Minute);
        await server.MustLeaveAsync();
    }

    [Fact]
    public async Task The_last_of_many_uses_counts()
    {
        await using var server = await Idling.StartAsync();
        using var first = await RawClient.IdleAsync(server.App.Port);
        await server.Until(ConnectionPhase.Idle);
        for (var minute = 1; minute <= 5; minute++)
        {
            await server.PassAsync(Minute);
            using var other = await RawClient.IdleAsync(server.App.Port);
            await server.Until(ConnectionPhase.Idle, ConnectionPhase.Idle);
        }

        await server.PassAsync(5 * Minute);
        server.MustLookAgainIn(5 * Minute);
    }

    [Fact]
    public async Task A_request_in_flight_keeps_it_and_it_is_quiet_since_its_end()
    {
        await using var server = await Idling.StartAsync();
        using var client = await RawClient.ConnectAsync(server.App.Port);
        await client.SendGetAsync("/door");
        await server.App.Door.Reached();
        for (var look = 0; look < 5; look++)
        {
            await server.PassAsync(Idling.Limit);
            server.MustLookAgainIn(Idling.Limit);
        }

        await server.PassAsync(7 * Minute);
        server.App.Door.Open();
        Assert.Equal(200, (await client.ReadAsync()).Status);
        await server.Until(ConnectionPhase.Idle);
        await server.PassAsync(3 * Minute);
        server.MustLookAgainIn(7 * Minute);
        await server.PassAsync(7 * Minute);
        await server.MustLeaveAsync();
    }

    [Fact]
    public async Task Who_has_asked_for_nothing_yet_keeps_it_while_he_is_there_and_is_no_use_when_he_went()
    {
        await using var server = await Idling.StartAsync();
        using (await RawClient.ConnectAsync(server.App.Port))
        {
            await server.Until(New);
            await server.PassAsync(Idling.Limit);
            server.MustLookAgainIn(Idling.Limit);
            await server.PassAsync(9 * Minute);
        }

        await server.Until();
        await server.PassAsync(Minute);
        await server.MustLeaveAsync();
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_hijacked_connection_keeps_it_unless_the_user_says_otherwise(bool isBusy)
    {
        await using var server = await Idling.StartAsync(options => options.HijackedIsBusy = isBusy);
        await server.PassAsync(2 * Minute);
        using var client = await RawClient.ConnectAsync(server.App.Port);
        await client.SendAsync("GET /upgrade HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n");
        Assert.Equal(101, (await client.ReadHeadAsync()).Status);
        await server.Until(Hijacked);
        await server.PassAsync(8 * Minute);
        if (!isBusy)
        {
            // Its request was a use.
            server.MustLookAgainIn(2 * Minute);
            await server.PassAsync(2 * Minute);
            Assert.True(server.App.Graceful.IsStopping);
            Assert.Equal(StopCause.Idle, server.App.Graceful.StopReason!.Value.Cause);
            return;
        }

        server.MustLookAgainIn(Idling.Limit);
        await server.PassAsync(3 * Minute);
        client.HalfClose();
        Assert.Equal(Ending.Fin, await client.EndAsync());
        await server.Until();
        await server.PassAsync(7 * Minute);
        server.MustLookAgainIn(3 * Minute);
        await server.PassAsync(3 * Minute);
        await server.MustLeaveAsync();
    }

    [Fact]
    public async Task Probes_do_not_keep_it_be_they_on_a_kept_connection_or_each_on_its_own()
    {
        await using var server = await Idling.StartAsync();
        using var kept = await RawClient.ConnectAsync(server.App.Port);
        for (var minute = 1; minute <= 9; minute++)
        {
            await server.PassAsync(Minute);
            Assert.Equal(200, (await kept.GetAsync("/health/ready")).Status);
            await server.Until(ConnectionPhase.Idle);
            using (var own = await RawClient.ConnectAsync(server.App.Port))
            {
                Assert.Equal(200, (await own.GetAsync("/health/live")).Status);
                await server.Until(ConnectionPhase.Idle, ConnectionPhase.Idle);
            }

            await server.Until(ConnectionPhase.Idle);
        }

        await server.PassAsync(Minute);
        await server.MustLeaveAsync();
    }

    [Fact]
    public async Task A_probe_in_flight_does_not_keep_it()
    {
        await using var server = await Idling.StartAsync();
        using var client = await RawClient.ConnectAsync(server.App.Port);
        await client.SendGetAsync("/probe");
        await server.Probe.Reached();
        await server.PassAsync(Idling.Limit);
        await server.MustLeaveAsync();
    }

    [Fact]
    public async Task On_HTTP2_a_stream_that_counts_is_a_use_beside_one_that_does_not()
    {
        await using var server = await Idling.StartAsync(http2: true);
        using var client = await RawHttp2Client.ConnectAsync(server.App.Port);
        var probe = await client.SendGetAsync("/probe");
        await server.Probe.Reached();
        await server.PassAsync(4 * Minute);
        var counts = await client.SendGetAsync("/door");
        await server.App.Door.Reached();
        await server.PassAsync(6 * Minute);
        server.MustLookAgainIn(Idling.Limit);
        server.App.Door.Open();
        Assert.Equal("ok, at last", await client.ReadAsync(counts));
        await Limits.Until(() => server.App.Engine.RequestsInFlight == 0, "only the probe is in flight");
        await server.PassAsync(5 * Minute);
        server.Probe.Open();
        Assert.Equal("well", await client.ReadAsync(probe));
        await server.Until(ConnectionPhase.Idle);
        await server.PassAsync(5 * Minute);

        // Quiet since the end of the one that counts, and not of the probe.
        await server.MustLeaveAsync();
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_WebSocket_on_HTTP2_keeps_it_as_a_hijacked_connection_does(bool isBusy)
    {
        await using var server = await Idling.StartAsync(options => options.HijackedIsBusy = isBusy, http2: true, map: app =>
        {
            app.UseWebSockets();
            app.Map("/socket", async (HttpContext context) =>
            {
                using var socket = await context.WebSockets.AcceptWebSocketAsync();
                await socket.ReceiveAsync(new byte[10], context.RequestAborted);
            });
        });
        using var handler = new SocketsHttpHandler { UseProxy = false };
        using var invoker = new HttpMessageInvoker(handler);
        using var client = new ClientWebSocket();
        (client.Options.HttpVersion, client.Options.HttpVersionPolicy) = (HttpVersion.Version20, HttpVersionPolicy.RequestVersionExact);
        await client.ConnectAsync(new Uri($"ws://127.0.0.1:{server.App.Port}/socket"), invoker, TestContext.Current.CancellationToken).Soon();
        await server.Until(Active);
        await server.PassAsync(Idling.Limit);
        Assert.Equal(!isBusy, server.App.Graceful.IsStopping);
        client.Abort();
        if (!isBusy)
        {
            await server.MustLeaveAsync();
        }
    }

    [Fact]
    public async Task Work_keeps_it_and_it_is_quiet_since_its_end()
    {
        await using var server = await Idling.StartAsync();
        var work = server.App.Graceful.Begin("import");
        await server.PassAsync(Idling.Limit);
        server.MustLookAgainIn(Idling.Limit);
        await server.PassAsync(4 * Minute);
        work.Dispose();
        await server.PassAsync(6 * Minute);
        server.MustLookAgainIn(4 * Minute);
        await server.PassAsync(4 * Minute);
        await server.MustLeaveAsync();
    }
}
