using System.Net.WebSockets;
using Graceful.Tests.Support;
using static Graceful.Tests.WebSockets.WebSocketApp;

namespace Graceful.Tests.WebSockets;

/// <summary>WebSockets of applications that know nothing of the way out.</summary>
public sealed class Told
{
    [Theory]
    [InlineData(false, false)]
    [InlineData(false, true)]
    [InlineData(true, false)]
    [InlineData(true, true)]
    [InlineData(false, false, true)]
    [InlineData(true, false, true)]
    public async Task The_peer_is_told_to_go_away_and_the_application_sees_a_normal_close(bool http2, bool compressed, bool tls = false)
    {
        await using var server = await StartAsync(http2: http2, tls: tls);
        using var client = await server.ConnectAsync("/echo", http2, compressed);
        await SayAsync(client, "hello, hello, hello");
        Assert.Equal("hello, hello, hello", await HearAsync(client));
        server.App.Graceful.Close();
        Assert.Null(await HearAsync(client));
        Assert.Equal(WebSocketCloseStatus.EndpointUnavailable, client.CloseStatus);
        await client.CloseOutputAsync(WebSocketCloseStatus.EndpointUnavailable, null, CancellationToken.None).Soon();
        Assert.Equal((WebSocketCloseStatus.EndpointUnavailable, WebSocketState.Closed), await server.EchoEnded);
        var report = await server.App.ReportAsync();
        Assert.Equal((0, 1, 1, 0), (report.ExitCode, report.WebSocketsClosed, report.WebSocketsAnswered, report.ConnectionsAborted));
        Assert.Contains("1 told to go (1001), 1 answered", report.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Nothing_follows_the_Close_and_the_application_s_own_is_not_sent_a_second_time()
    {
        await using var server = await StartAsync();
        using var peer = await RawWebSocket.ConnectAsync(server.App.Port, "/echo");
        server.App.Graceful.Close();
        await peer.MustReadCloseAsync();

        // What the peer said before it heard of that is read, and its echo goes nowhere.
        await peer.SendTextAsync("too late");
        await peer.AnswerAsync();
        Assert.Equal((WebSocketCloseStatus.EndpointUnavailable, WebSocketState.Closed), await server.EchoEnded);
        Assert.Equal(Ending.Fin, await peer.EndAsync());
        Assert.Equal(0, (await server.App.ReportAsync()).ExitCode);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    [InlineData(false, true)]
    [InlineData(true, true)]
    public async Task A_message_in_pieces_is_finished_first(bool http2, bool tls = false)
    {
        await using var server = await StartAsync(http2: http2, tls: tls);
        using var client = await server.ConnectAsync("/pieces", http2);
        await server.Door.Reached();
        await server.App.BeginDrainAsync();
        var heard = HearAsync(client);
        server.Door.Open();
        Assert.Equal("one, two", await heard);
        Assert.Null(await HearAsync(client));
        Assert.Equal(WebSocketCloseStatus.EndpointUnavailable, client.CloseStatus);
        await client.CloseOutputAsync(WebSocketCloseStatus.EndpointUnavailable, null, CancellationToken.None).Soon();
        await server.EchoEnded;
        var report = await server.App.ReportAsync();
        Assert.Equal((0, 1, 1), (report.ExitCode, report.WebSocketsClosed, report.WebSocketsAnswered));
    }

    [Fact]
    public async Task The_Close_does_not_wait_for_the_end_of_a_message_any_longer_than_that()
    {
        await using var server = await StartAsync();
        using var peer = await RawWebSocket.ConnectAsync(server.App.Port, "/pieces");
        await peer.MustReadTextAsync("one, ", 0x01);
        await server.Door.Reached();
        await server.App.BeginDrainAsync();
        server.Door.Open();
        await peer.MustReadTextAsync("two", 0x80);
        await peer.MustReadCloseAsync();
        await peer.AnswerAsync();
        Assert.Equal(Ending.Fin, await peer.EndAsync());
    }

    /// <summary>134 bytes are the first frame: within its head, at its end, within what it carries; then within the second.</summary>
    [Theory]
    [InlineData(0, 0)]
    [InlineData(1, 1)]
    [InlineData(3, 1)]
    [InlineData(70, 1)]
    [InlineData(134, 1)]
    [InlineData(135, 2)]
    public async Task A_proxy_may_cut_frames_as_it_likes(int cut, int frames)
    {
        await using var server = await StartAsync();
        using var peer = await RawWebSocket.ConnectAsync(server.App.Port, $"/raw?cut={cut}");
        await server.Door.Reached();
        await server.App.BeginDrainAsync();
        if (cut is 0 or 134)
        {
            // Between two messages there is nothing to wait for.
            await Limits.Until(() => server.App.Engine.Figures.WebSocketsClosed == 1, "the Close is out");
        }

        server.Door.Open();
        if (frames > 0)
        {
            var (first, payload) = await peer.ReadAsync();
            Assert.Equal((0x82, 130), (first, payload.Length));
            Assert.All(payload, one => Assert.Equal(0x88, one));
        }

        if (frames > 1)
        {
            await peer.MustReadTextAsync("x");
        }

        await peer.MustReadCloseAsync();
        Assert.Equal(1, server.App.Engine.Figures.WebSocketsClosed);
        await peer.AnswerAsync();
        await Limits.Until(() => server.App.Engine.Figures.WebSocketsAnswered == 1, "the answer is seen");
        peer.Dispose();
        Assert.Equal(0, (await server.App.ReportAsync()).ExitCode);
    }

    [Fact]
    public async Task Where_the_application_has_closed_nobody_else_does()
    {
        await using var server = await StartAsync();
        using var peer = await RawWebSocket.ConnectAsync(server.App.Port, "/leaving");
        await peer.MustReadCloseAsync(1000);
        await server.Door.Reached();
        await server.App.BeginDrainAsync();
        server.Door.Open();
        await peer.SendAsync(0x88, 3, 0xE8);
        Assert.Equal(Ending.Fin, await peer.EndAsync());
        var report = await server.App.ReportAsync();
        Assert.Equal((0, 0, 0), (report.ExitCode, report.WebSocketsClosed, report.WebSocketsAnswered));
        Assert.DoesNotContain("WebSockets", report.ToString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_peer_that_never_answers_is_aborted_when_time_is_over(bool http2)
    {
        await using var server = await StartAsync(options => options.GracePeriod = TimeSpan.FromSeconds(1), http2);
        using var client = await server.ConnectAsync("/echo", http2);
        var report = await server.App.LeaveAsync();
        Assert.Equal((2, 1, 0, 1), (report.ExitCode, report.WebSocketsClosed, report.WebSocketsAnswered, report.ConnectionsAborted));
        Assert.Equal("/echo", Assert.Single(report.CutOff).Path);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task One_that_is_only_told_is_not_waited_for(bool http2)
    {
        await using var server = await StartAsync(http2: http2);
        using var client = await server.ConnectAsync("/echo/told", http2);
        var heard = HearAsync(client);
        var report = await server.App.LeaveAsync();
        Assert.Equal((0, 1, 0, 1), (report.ExitCode, report.WebSocketsClosed, report.WebSocketsAnswered, report.RequestsLetGo));
        Assert.Equal("/echo/told", Assert.Single(report.LetGo).Path);
        Assert.Null(await heard);
        Assert.Equal(WebSocketCloseStatus.EndpointUnavailable, client.CloseStatus);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task One_that_must_finish_goes_on_until_its_application_ends_it(bool http2)
    {
        await using var server = await StartAsync(http2: http2);
        using var client = await server.ConnectAsync("/echo/must", http2);
        await server.App.BeginDrainAsync();
        await SayAsync(client, "still here");
        Assert.Equal("still here", await HearAsync(client));
        await client.CloseAsync(WebSocketCloseStatus.NormalClosure, "done", CancellationToken.None).Soon();
        Assert.Equal(WebSocketCloseStatus.NormalClosure, client.CloseStatus);
        var report = await server.App.ReportAsync();
        Assert.Equal((0, 0), (report.ExitCode, report.WebSocketsClosed));
    }

    [Fact]
    public async Task One_that_begins_during_the_drain_is_told_at_once()
    {
        await using var server = await StartAsync(options => options.QuietPeriod = TimeSpan.FromSeconds(10));
        using var raw = await RawClient.IdleAsync(server.App.Port);
        await server.App.BeginDrainAsync();
        using var peer = await RawWebSocket.OverAsync(raw, "/echo");
        await peer.MustReadCloseAsync();
        await peer.AnswerAsync();
        Assert.Equal(Ending.Fin, await peer.EndAsync());
        var report = await server.App.ReportAsync();
        Assert.Equal((0, 1, 1), (report.ExitCode, report.WebSocketsClosed, report.WebSocketsAnswered));
    }

    [Fact]
    public async Task During_a_lame_duck_one_after_the_other_is_told_and_newcomers_with_them()
    {
        await using var server = await StartAsync(options => options.LameDuck = TimeSpan.FromSeconds(4));
        var peers = new List<RawWebSocket>();
        for (var count = 0; count < 6; count++)
        {
            peers.Add(await RawWebSocket.ConnectAsync(server.App.Port, "/echo"));
        }

        server.App.Graceful.Close();
        await server.App.Log.Until("to LameDuck after");
        peers.Add(await RawWebSocket.ConnectAsync(server.App.Port, "/echo"));
        var closes = peers.ConvertAll(static peer => peer.MustReadCloseAsync());
        await await Task.WhenAny(closes).Soon("The first Close");
        Assert.False(server.App.Engine.IsDraining);
        Assert.Contains(closes, static close => !close.IsCompleted);
        await Task.WhenAll(closes);
        foreach (var peer in peers)
        {
            await peer.AnswerAsync();
            Assert.Equal(Ending.Fin, await peer.EndAsync());
            peer.Dispose();
        }

        var report = await server.App.ReportAsync();
        Assert.Equal((0, 7, 7), (report.ExitCode, report.WebSocketsClosed, report.WebSocketsAnswered));
    }

    [Fact]
    public async Task An_application_that_only_writes_is_told_by_an_error()
    {
        await using var server = await StartAsync();
        using var peer = await RawWebSocket.ConnectAsync(server.App.Port, "/ticker");
        await server.App.BeginDrainAsync();
        var (first, payload) = await peer.ReadAsync();
        while (first == 0x81)
        {
            (first, payload) = await peer.ReadAsync();
        }

        Assert.Equal((0x88, 3, 0xE9), (first, payload[0], payload[1]));
        Assert.Contains("has closed the WebSocket", Assert.IsType<IOException>(await server.TickerEnded).Message, StringComparison.Ordinal);
        Assert.Equal(Ending.Fin, await peer.EndAsync());
        var report = await server.App.ReportAsync();
        Assert.Equal((0, 1, 0), (report.ExitCode, report.WebSocketsClosed, report.WebSocketsAnswered));
    }

    [Fact]
    public async Task Whatever_else_is_upgraded_to_is_left_as_it_is()
    {
        await using var server = await StartAsync();
        using var raw = await RawClient.ConnectAsync(server.App.Port);
        await raw.SendAsync("GET /upgrade HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websockets-of-ours\r\n\r\n");
        Assert.Equal(101, (await raw.ReadHeadAsync()).Status);
        await server.App.BeginDrainAsync();
        await raw.SendAsync("hello");
        Assert.Equal("hello"u8.ToArray(), await raw.ReadBytesAsync(5));
        raw.HalfClose();
        Assert.Equal(Ending.Fin, await raw.EndAsync());
        var report = await server.App.ReportAsync();
        Assert.Equal((0, 0), (report.ExitCode, report.WebSocketsClosed));
    }

    [Fact]
    public async Task Beside_it_on_HTTP2_a_request_finishes()
    {
        await using var server = await StartAsync(http2: true);
        using var handler = new SocketsHttpHandler { UseProxy = false };
        using var invoker = new HttpMessageInvoker(handler);
        using var client = new ClientWebSocket();
        (client.Options.HttpVersion, client.Options.HttpVersionPolicy) = (System.Net.HttpVersion.Version20, HttpVersionPolicy.RequestVersionExact);
        var at = $"127.0.0.1:{server.App.Port}";
        await client.ConnectAsync(new Uri($"ws://{at}/echo"), invoker, CancellationToken.None).Soon();
        using var ask = new HttpRequestMessage(HttpMethod.Get, $"http://{at}/door")
        {
            Version = System.Net.HttpVersion.Version20, VersionPolicy = HttpVersionPolicy.RequestVersionExact,
        };
        var request = invoker.SendAsync(ask, CancellationToken.None);
        await server.App.Door.Reached();
        Assert.Equal(1, server.App.Engine.Table.Count);
        await server.App.BeginDrainAsync();
        Assert.Null(await HearAsync(client));
        await client.CloseOutputAsync(WebSocketCloseStatus.EndpointUnavailable, null, CancellationToken.None).Soon();
        await server.EchoEnded;
        Assert.False(request.IsCompleted);
        server.App.Door.Open();
        using var answer = await request.Soon();
        Assert.Equal("ok, at last", await answer.Content.ReadAsStringAsync().Soon());
        Assert.Equal(0, (await server.App.ReportAsync()).ExitCode);
    }
}
