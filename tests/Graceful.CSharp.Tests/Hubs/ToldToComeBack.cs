using System.Diagnostics;
using System.Net.WebSockets;
using Graceful.Hubs;
using Graceful.Tests.Support;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;

namespace Graceful.Tests.Hubs;

/// <summary>SignalR's hubs, whose clients shall come back elsewhere.</summary>
public sealed class ToldToComeBack
{
    private int _asked;

    [Theory]
    [InlineData(HubTransport.WebSockets)]
    [InlineData(HubTransport.ServerSentEvents)]
    [InlineData(HubTransport.LongPolling)]
    public async Task A_client_is_told_that_it_may_come_back_and_the_connection_ends_in_order(HubTransport transport)
    {
        await using var app = await StartAsync();
        await using var client = await HubClient.ConnectAsync(transport, app.Port);
        Assert.Equal("hello", await client.InvokeAsync("Echo", "hello"));
        await MustListenAsync(client);
        var stopped = app.Host.StopAsync();
        Assert.True(await client.ReadCloseAsync());
        await client.Ended.Soon("The end of the transport");
        await stopped.Soon("The stop of the host");
        var report = await app.ReportAsync();
        Assert.Equal((0, 0, 0), (report.ExitCode, report.ConnectionsAborted, report.WebSocketsClosed));
        if (transport == HubTransport.WebSockets)
        {
            Assert.Equal(WebSocketCloseStatus.NormalClosure, client.CloseStatus);
        }
    }

    /// <summary>A signal, or the application: here the host is told later, when there is no way back.</summary>
    [Theory]
    [InlineData(HubTransport.WebSockets)]
    [InlineData(HubTransport.ServerSentEvents)]
    [InlineData(HubTransport.LongPolling)]
    public async Task So_it_is_when_the_application_asked_for_the_stop(HubTransport transport)
    {
        await using var app = await StartAsync();
        await using var client = await HubClient.ConnectAsync(transport, app.Port);
        Assert.Equal("hello", await client.InvokeAsync("Echo", "hello"));
        await MustListenAsync(client);
        app.Graceful.Close();
        Assert.True(await client.ReadCloseAsync());
        await client.Ended.Soon("The end of the transport");
        Assert.Equal(0, (await app.ReportAsync()).ExitCode);
    }

    /// <summary>
    /// dotnet/aspnetcore 58947: SignalR drops its connections when the host begins to stop, and the server accepts others until it is stopped
    /// itself. These keep a plain host for as long as its ShutdownTimeout is.
    /// </summary>
    [Theory]
    [InlineData(HubTransport.WebSockets, false)]
    [InlineData(HubTransport.ServerSentEvents, false)]
    [InlineData(HubTransport.LongPolling, false)]
    [InlineData(HubTransport.WebSockets, true)]
    public async Task Who_comes_between_the_stop_and_the_unbind_is_told_as_well(HubTransport transport, bool plain)
    {
        var patience = TimeSpan.FromSeconds(2);
        await using var app = await StartAsync(plain);
        app.Lifetime.StopApplication();
        await using var client = await HubClient.ConnectAsync(transport, app.Port);

        // Hands are shaken before the hub hears of it.
        Assert.Equal("hello", await client.InvokeAsync("Echo", "hello"));
        await MustListenAsync(client);
        var clock = Stopwatch.StartNew();
        var stopped = app.Host.StopAsync(new CancellationTokenSource(plain ? patience : Limits.Hang).Token);
        if (plain)
        {
            await Assert.ThrowsAnyAsync<Exception>(() => client.Ended.Soon("The end of the transport"));
            await stopped.Soon("The stop of the host");
            Assert.True(clock.Elapsed >= patience);
            Assert.False(client.HasMessage);
        }
        else
        {
            Assert.True(await client.ReadCloseAsync());
            await client.Ended.Soon("The end of the transport");
            await stopped.Soon("The stop of the host");
            Assert.Equal(0, (await app.ReportAsync()).ExitCode);
        }
    }

    [Fact]
    public async Task A_WebSocket_in_which_nobody_speaks_yet_is_closed_as_any_other()
    {
        await using var app = await StartAsync();
        app.Lifetime.StopApplication();
        await using var client = await HubClient.ConnectSilentlyAsync(HubTransport.WebSockets, app.Port);
        await app.BeginDrainAsync();
        await client.Ended.Soon("The end of the WebSocket");
        Assert.Equal(WebSocketCloseStatus.EndpointUnavailable, client.CloseStatus);
        Assert.Equal(0, (await app.ReportAsync()).ExitCode);
    }

    [Fact]
    public async Task Who_shakes_hands_when_the_drain_has_begun_is_told_at_once()
    {
        await using var app = await StartAsync(quietPeriod: TimeSpan.FromSeconds(10));
        app.Lifetime.StopApplication();
        await using var client = await HubClient.ConnectSilentlyAsync(HubTransport.ServerSentEvents, app.Port);
        using var spare = await RawClient.IdleAsync(app.Port);
        await app.BeginDrainAsync();
        const string handshake = """{"protocol":"json","version":1}""" + "\x1e";
        await spare.SendAsync($"POST {client.Id.PathAndQuery} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {handshake.Length}\r\n\r\n{handshake}");
        Assert.Equal(200, (await spare.ReadAsync()).Status);
        await client.MustHaveShakenHandsAsync();
        Assert.True(await client.ReadCloseAsync());
        await client.Ended.Soon("The end of the transport");
        Assert.Equal(0, (await app.ReportAsync()).ExitCode);
    }

    [Fact]
    public async Task A_hub_that_does_not_want_its_client_leaves_nobody_behind()
    {
        await using var app = await StartAsync();
        await using var client = await HubClient.ConnectAsync(HubTransport.WebSockets, app.Port, "/fussy");
        await client.Ended.Soon("The end of the WebSocket");
        Assert.True(app.Services.GetRequiredService<HubConnections>().SayGoodbye().IsCompleted);
    }

    /// <summary>Whoever polls and is away between two polls can't be told: once it is quiet for as long as anybody may be, nobody lets it in again.</summary>
    private Task MustListenAsync(HubClient client) =>
        Limits.Until(() => Volatile.Read(ref _asked) > client.PollsAnswered, "the hub can reach its client");

    private Task<TestApp> StartAsync(bool plain = false, TimeSpan? quietPeriod = null) => TestApp.StartAsync(
        options => (options.SettleTime, options.QuietPeriod, options.GracePeriod) =
            (TimeSpan.Zero, quietPeriod ?? TimeSpan.FromMilliseconds(100), TimeSpan.FromMinutes(5)),
        build: builder => builder.Services.AddSignalR(),
        map: app =>
        {
            app.Use((context, next) =>
            {
                if (HttpMethods.IsGet(context.Request.Method))
                {
                    Interlocked.Increment(ref _asked);
                }

                return next(context);
            });
            app.MapHub<EchoHub>("/hub");
            app.MapHub<FussyHub>("/fussy");
        },
        plain: plain);
}
