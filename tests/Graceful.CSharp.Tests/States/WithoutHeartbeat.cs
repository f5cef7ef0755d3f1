using System.Diagnostics;
using Graceful.Tests.Support;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace Graceful.Tests.States;

/// <summary>
/// HTTP/2 ends with its last stream. Kestrel looks whether it is over when its heartbeat ticks, once a second; here that never reaches the
/// connection, so what ends it is ours.
/// </summary>
public sealed class WithoutHeartbeat
{
    private const int Everything = int.MaxValue;

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task The_first_GOAWAY_comes_with_the_drain_and_the_last_one_with_the_end_of_the_last_stream(bool tls)
    {
        await using var app = await StartAsync(tls);
        using var client = await RawHttp2Client.ConnectAsync(app.Port, tls);
        var first = await client.SendGetAsync("/door");
        var second = await client.SendGetAsync("/door");
        await app.Door.Reached(2);
        await app.BeginDrainAsync();
        await client.ReadGoAwayAsync();
        Assert.Equal([Everything], client.GoAways);

        // Streams that are opened in between are served.
        var third = await client.SendGetAsync("/");
        Assert.Equal("ok", await client.ReadAsync(third));
        Assert.Equal([Everything], client.GoAways);
        app.Door.Open();
        Assert.Equal("ok, at last", await client.ReadAsync(first));
        Assert.Equal("ok, at last", await client.ReadAsync(second));
        Assert.Equal((third, Ending.Fin), await client.EndAsync());
        Assert.Equal([Everything, third], client.GoAways);
        Assert.Equal(0, (await app.ReportAsync()).ExitCode);
    }

    [Fact]
    public async Task Twenty_connections_whose_streams_end_one_after_the_other_each_end_with_their_own()
    {
        await using var app = await StartAsync(tls: false);
        var clients = new List<RawHttp2Client>();
        for (var i = 0; i < 20; i++)
        {
            var client = await RawHttp2Client.ConnectAsync(app.Port);
            await client.SendGetAsync($"/slow?ms={1000 + (20 * i)}");
            clients.Add(client);
        }

        await Limits.Until(() => app.Engine.RequestsInFlight == 20, "all ask");
        await app.BeginDrainAsync();
        await Task.WhenAll(clients.Select(async client =>
        {
            Assert.Equal("ok, at last", await client.ReadAsync(1));
            var clock = Stopwatch.StartNew();
            Assert.Equal((1, Ending.Fin), await client.EndAsync());
            Assert.Equal([Everything, 1], client.GoAways);

            // 50 ms is what `build.fsx takeover` measures; here a busy machine passes too, and nobody that waits for the force does.
            Assert.InRange(clock.Elapsed.TotalSeconds, 0, 10);
        }));
        Assert.Equal(0, (await app.ReportAsync()).ExitCode);
        clients.ForEach(client => client.Dispose());
    }

    private static Task<TestApp> StartAsync(bool tls) => TestApp.StartAsync(
        options => options.GracePeriod = TimeSpan.FromSeconds(15),
        listen =>
        {
            listen.Protocols = HttpProtocols.Http2;
            if (tls)
            {
                listen.UseHttps(Certificate.ForTests);
            }

            listen.Use(next => connection =>
            {
                var heartbeat = connection.Features.GetRequiredFeature<IConnectionHeartbeatFeature>();
                connection.Features.Set<IConnectionHeartbeatFeature>(new NoHeartbeat(heartbeat));
                return next(connection);
            });
        });

    /// <summary>Kestrel's heartbeat has a thread of its own, and whoever else ticks is on the pool.</summary>
    private sealed class NoHeartbeat(IConnectionHeartbeatFeature heartbeat) : IConnectionHeartbeatFeature
    {
        public void OnHeartbeat(Action<object> action, object state) => heartbeat.OnHeartbeat(
            kept =>
            {
                if (Thread.CurrentThread.IsThreadPoolThread)
                {
                    action(kept);
                }
            },
            state);
    }
}
