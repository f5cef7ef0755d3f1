using System.Net;
using Graceful.Engine;
using Graceful.Tests.Support;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;
using Microsoft.AspNetCore.TestHost;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Graceful.Tests.Reach;

public sealed class OtherServers
{
    private const string Warning = "they can't be tracked";

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task On_a_TestServer_a_request_in_flight_is_waited_for_and_it_warns_once(bool before)
    {
        var builder = WebApplication.CreateSlimBuilder();
        var log = new LogBook();
        builder.Logging.ClearProviders().AddProvider(log);
        if (before)
        {
            builder.WebHost.UseTestServer();
        }

        builder.AddGraceful();
        if (!before)
        {
            builder.WebHost.UseTestServer();
        }

        var app = builder.Build();
        var door = new Door();
        app.MapGet("/", () => "ok");
        app.MapGet("/door", async () =>
        {
            await door.PassAsync();
            return "ok, at last";
        });
        await app.StartAsync().Soon();
        await using var _ = app;
        var client = app.GetTestClient();
        Assert.Equal("ok", await client.GetStringAsync("/"));
        var request = client.GetStringAsync("/door");
        await door.Reached();
        var graceful = app.Services.GetRequiredService<IGraceful>();
        graceful.Close();
        await Limits.Until(() => graceful.Stopping.IsCancellationRequested, "Stopping fired");
        await Quiet.LessAsync();
        Assert.False(graceful.Completion.IsCompleted);
        door.Open();
        Assert.Equal("ok, at last", await request.Soon());
        var report = await graceful.Completion.Soon("The end of the way out");
        Assert.Equal(0, report.ExitCode);
        // The first request's answer may be with its client a moment before the server is through with it.
        Assert.InRange(report.RequestsFinished, 1, 2);
        Assert.Single(log.Entries, entry => entry.Text.Contains(Warning, StringComparison.Ordinal) && entry.Level == LogLevel.Warning);
        await app.StopAsync().Soon();
    }

    [Fact]
    public async Task On_a_TestServer_a_request_is_cut_off_when_the_grace_period_is_over()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseTestServer();
        builder.AddGraceful(options => options.GracePeriod = TimeSpan.FromMilliseconds(500));
        var app = builder.Build();
        var waits = new Door();
        app.MapGet("/hang", async (CancellationToken aborted) =>
        {
            var all = waits.PassAsync();
            await Task.WhenAny(all, Task.Delay(Timeout.Infinite, aborted));
            aborted.ThrowIfCancellationRequested();
        });
        await app.StartAsync().Soon();
        await using var _ = app;
        var request = app.GetTestClient().GetAsync(new Uri("/hang", UriKind.Relative));
        await waits.Reached();
        var graceful = app.Services.GetRequiredService<IGraceful>();
        graceful.Close();
        var report = await graceful.Completion.Soon("The end of the way out");
        await Assert.ThrowsAnyAsync<Exception>(() => request.Soon());
        waits.Open();
        Assert.Equal((2, 1L), (report.ExitCode, report.ConnectionsAborted));
        Assert.Equal("/hang", Assert.Single(report.CutOff).Path);
    }

    [Fact]
    public async Task A_transport_that_was_registered_before_is_wrapped_and_its_connections_are_tracked()
    {
        var builder = WebApplication.CreateSlimBuilder();
        var log = new LogBook();
        builder.Logging.ClearProviders().AddProvider(log);
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.Services.AddSingleton<IConnectionListenerFactory, OwnTransport>();
        builder.AddGraceful(Quiet.Long);
        var app = builder.Build();
        app.MapGet("/", () => "ok");
        await using var running = await Running.StartAsync(app);
        Assert.True(OwnTransport.WasUsed);
        await running.MustDrainAsync();
        Assert.DoesNotContain(log.Entries, entry => entry.Text.Contains(Warning, StringComparison.Ordinal));
    }

    [Fact]
    public async Task Of_a_transport_that_was_registered_later_it_warns_once_and_requests_are_still_waited_for()
    {
        var builder = WebApplication.CreateSlimBuilder();
        var log = new LogBook();
        builder.Logging.ClearProviders().AddProvider(log);
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.AddGraceful();
        builder.Services.AddSingleton<IConnectionListenerFactory, OwnTransport>();
        var app = builder.Build();
        var door = new Door();
        app.MapGet("/door", async () =>
        {
            await door.PassAsync();
            return "ok, at last";
        });
        await using var running = await Running.StartAsync(app);
        Assert.Single(log.Entries, entry => entry.Text.Contains(Warning, StringComparison.Ordinal));
        using var client = await RawClient.ConnectAsync(running.Port);
        await client.SendGetAsync("/door");
        await door.Reached();
        running.Graceful.Close();
        await Quiet.LessAsync();
        Assert.False(running.Graceful.Completion.IsCompleted);
        door.Open();
        var response = await client.ReadAsync();
        Assert.Equal("ok, at last", response.Text);
        Assert.True(response.IsTold);
        Assert.Equal(Ending.Fin, await client.EndAsync());
        var report = await running.Graceful.Completion.Soon();
        Assert.Equal((0, 1L), (report.ExitCode, report.RequestsFinished));
    }

    [Fact]
    public async Task A_client_of_another_server_is_told_on_its_response_where_its_protocol_has_a_header_for_that()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseTestServer();
        builder.AddGraceful(options => options.LameDuck = TimeSpan.FromSeconds(20));
        var app = builder.Build();
        app.MapGet("/", () => "ok");
        await app.StartAsync().Soon();
        await using var _ = app;
        var client = app.GetTestClient();
        Assert.Null(await ToldAsync("1.1"));
        var graceful = app.Services.GetRequiredService<IGraceful>();
        graceful.Close();
        // Clients begin to be told a step after the first moment, which nobody announces.
        var end = Environment.TickCount64 + (long)Limits.Hang.TotalMilliseconds;
        while (await ToldAsync("1.1") is not true)
        {
            Assert.True(Environment.TickCount64 < end, "Nobody is told.");
        }

        Assert.Null(await ToldAsync("2.0"));

        // Here a client has its answer before the server has done with the request.
        var engine = app.Services.GetRequiredService<LifecycleEngine>();
        await Limits.Until(() => engine.Figures.ConnectionsTold == 1 && engine.RequestsInFlight == 0, "the requests have ended");
        await app.StopAsync(new CancellationToken(canceled: true)).Soon();
        Assert.Equal(1L, (await graceful.Completion.Soon("The end of the way out")).ConnectionsTold);

        async Task<bool?> ToldAsync(string protocol)
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, "/") { Version = Version.Parse(protocol) };
            using var response = await client.SendAsync(request).Soon();
            Assert.Equal(HttpStatusCode.OK, response.StatusCode);
            return response.Headers.ConnectionClose;
        }
    }

    /// <summary>A transport of the user's: sockets, but with an options object of its own, so that we know no socket of its.</summary>
    private sealed class OwnTransport(ILoggerFactory loggers) : IConnectionListenerFactory
    {
        private readonly SocketTransportFactory _sockets =
            new(Microsoft.Extensions.Options.Options.Create(new SocketTransportOptions()), loggers);

        public static bool WasUsed { get; private set; }

        public ValueTask<IConnectionListener> BindAsync(EndPoint endpoint, CancellationToken cancellationToken = default)
        {
            WasUsed = true;
            return _sockets.BindAsync(endpoint, cancellationToken);
        }
    }
}
