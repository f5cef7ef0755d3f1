using System.Globalization;
using System.Net.WebSockets;
using System.Text.RegularExpressions;
using Graceful.Tests.Hubs;
using Graceful.Tests.Support;
using Graceful.Tests.WebSockets;

namespace Graceful.Tests.Processes;

/// <summary>The sample whose connections stay: each client is told in its own protocol, and none of them holds the server.</summary>
public sealed class StreamsSample
{
    [Fact]
    public async Task A_WebSocket_a_stream_of_events_and_a_hub_are_told_and_the_server_is_gone_long_before_its_time_is_over()
    {
        using var child = Child.StartBeside("Streams", "--port", "0");
        await child.Wrote("Now listening on: ");
        var port = int.Parse(Regex.Match(child.Output, @"127\.0\.0\.1:(\d+)").Groups[1].Value, CultureInfo.InvariantCulture);
        using var socket = new ClientWebSocket();
        await socket.ConnectAsync(new Uri($"ws://127.0.0.1:{port}/echo"), CancellationToken.None).Soon("The WebSocket");
        await WebSocketApp.SayAsync(socket, "hello");
        Assert.Equal("hello", await WebSocketApp.HearAsync(socket));
        await using var hub = await HubClient.ConnectAsync(HubTransport.WebSockets, port);
        await hub.TellAsync("Say", "hello");
        using var http = new HttpClient(new SocketsHttpHandler { UseProxy = false });
        using var clock = new StreamReader(await http.GetStreamAsync(new Uri($"http://127.0.0.1:{port}/clock")).Soon("The clock"));
        Assert.Equal("event: tick", await clock.ReadLineAsync().Soon("A tick"));

        child.Kill(Signal.Terminate);
        Assert.Null(await WebSocketApp.HearAsync(socket));
        Assert.Equal(WebSocketCloseStatus.EndpointUnavailable, socket.CloseStatus);
        await socket.CloseOutputAsync(WebSocketCloseStatus.EndpointUnavailable, null, CancellationToken.None).Soon("The answer");
        Assert.True(await hub.ReadCloseAsync());
        await hub.Ended.Soon("The end of the hub's transport");
        var events = (await clock.ReadToEndAsync().Soon("The end of the clock")).Split("\n\n", StringSplitOptions.RemoveEmptyEntries);
        Assert.Matches(@"^event: leaving\ndata: come back\nretry: \d{1,4}$", events[^1]);
        Assert.Equal(0, await child.ExitAsync());
        Assert.Contains("1 told to go (1001), 1 answered", child.Output, StringComparison.Ordinal);
        Assert.Contains("0 aborted", child.Output, StringComparison.Ordinal);
        Assert.True(child.SinceSignal < TimeSpan.FromSeconds(15), $"{child.SinceSignal} after the signal, where 30 s are allowed");
    }
}
