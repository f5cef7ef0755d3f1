using System.Net;
using Graceful.Tests.Support;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace Graceful.Tests.States;

public sealed class Http2Connections
{
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task The_stop_ends_as_soon_as_the_open_stream_does(bool tls)
    {
        await using var app = await StartAsync(tls);
        using var client = Client(app, tls);
        var request = client.GetStringAsync("/door");
        await app.Door.Reached();
        await app.BeginDrainAsync();
        var clock = System.Diagnostics.Stopwatch.StartNew();
        app.Door.Open();
        Assert.Equal("ok, at last", await request.Soon());
        var report = await app.ReportAsync();
        Assert.InRange(clock.Elapsed.TotalSeconds, 0, 0.9);
        Assert.Equal(0, report.ExitCode);
        Assert.Equal((1, 1, 1), (report.RequestsFinished, report.ConnectionsTold, report.ConnectionsClosed));
    }

    [Fact]
    public async Task The_whole_stop_ends_with_the_open_stream_while_plain_Kestrel_hangs_to_its_shutdown_timeout()
    {
        await using var graceful = await StartAsync(tls: false);
        await using var plain = await StartAsync(tls: false, plain: true);
        var waits = await Task.WhenAll(FromStreamEndToStopAsync(graceful), FromStreamEndToStopAsync(plain));
        Assert.InRange(waits[0].TotalSeconds, 0, 0.9);
        Assert.InRange(waits[1].TotalSeconds, 2, 15);

        static async Task<TimeSpan> FromStreamEndToStopAsync(TestApp app)
        {
            using var client = await RawHttp2Client.ConnectAsync(app.Port);
            var stream = await client.SendGetAsync("/door");
            await app.Door.Reached();
            var stop = app.Host.StopAsync();
            await client.ReadGoAwayAsync();
            app.Door.Open();
            Assert.Equal("ok, at last", await client.ReadAsync(stream));
            var clock = System.Diagnostics.Stopwatch.StartNew();
            await stop.Soon();
            return clock.Elapsed;
        }
    }

    [Fact]
    public async Task The_last_GOAWAY_names_the_last_stream_and_a_FIN_follows()
    {
        await using var app = await StartAsync(tls: false);
        using var client = await RawHttp2Client.ConnectAsync(app.Port);
        var first = await client.SendGetAsync("/door");
        await app.Door.Reached();
        await app.BeginDrainAsync();
        var second = await client.SendGetAsync("/");
        Assert.Equal("ok", await client.ReadAsync(second));
        app.Door.Open();
        Assert.Equal("ok, at last", await client.ReadAsync(first));
        Assert.Equal((second, Ending.Fin), await client.EndAsync());
        Assert.Equal(0, (await app.ReportAsync()).ExitCode);
    }

    [Fact]
    public async Task A_second_stream_that_begins_during_the_drain_is_served_or_cleanly_refused()
    {
        await using var app = await StartAsync(tls: false);
        using var client = Client(app, tls: false);
        var request = client.GetStringAsync("/door");
        await app.Door.Reached();
        await app.BeginDrainAsync();
        string second;
        try
        {
            second = await client.GetStringAsync("/").Soon();
        }
        catch (HttpRequestException e) when (e.HttpRequestError == HttpRequestError.ConnectionError)
        {
            // Told by the GOAWAY, it wanted a new connection; and the listener is closed.
            second = "ok";
        }

        Assert.Equal("ok", second);
        app.Door.Open();
        Assert.Equal("ok, at last", await request.Soon());
        Assert.Equal(0, (await app.ReportAsync()).ExitCode);
    }

    [Fact]
    public async Task An_idle_one_ends_after_the_quiet_period()
    {
        await using var app = await StartAsync(tls: false);
        using var client = Client(app, tls: false);
        Assert.Equal("ok", await client.GetStringAsync("/").Soon());
        var report = await app.LeaveAsync();
        Assert.Equal(0, report.ExitCode);
        Assert.InRange(report.Duration.TotalSeconds, 0.3, 2);
    }

    [Fact]
    public async Task A_request_on_an_idle_one_during_the_drain_is_served()
    {
        await using var app = await StartAsync(tls: false, options: Quiet.Long);
        using var client = Client(app, tls: false);
        Assert.Equal("ok", await client.GetStringAsync("/").Soon());
        await app.BeginDrainAsync();
        await Quiet.LessAsync();
        Assert.Equal("ok", await client.GetStringAsync("/").Soon());
        var report = await app.ReportAsync();
        Assert.Equal(0, report.ExitCode);
        Assert.InRange(report.Duration.TotalSeconds, 0, 1.9);
    }

    [Fact]
    public async Task A_preface_without_a_request_ends_after_the_quiet_period()
    {
        await using var app = await StartAsync(tls: false);
        using var client = await RawClient.ConnectAsync(app.Port);
        await client.SendAsync("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
        await client.SendAsync(new byte[] { 0, 0, 0, 4, 0, 0, 0, 0, 0 });
        var report = await app.LeaveAsync();
        await client.ReadToEndAsync();
        Assert.Equal(0, report.ExitCode);
        Assert.InRange(report.Duration.TotalSeconds, 0.3, 3);
    }

    [Fact]
    public async Task Many_streams_of_one_connection_all_end_and_it_is_told_once()
    {
        await using var app = await StartAsync(tls: false);
        using var client = Client(app, tls: false);
        var requests = Enumerable.Range(0, 50).Select(_ => client.GetStringAsync("/door")).ToList();
        await app.Door.Reached(50);
        await app.BeginDrainAsync();
        app.Door.Open();
        foreach (var request in requests)
        {
            Assert.Equal("ok, at last", await request.Soon());
        }

        var report = await app.ReportAsync();
        Assert.Equal(0, report.ExitCode);
        Assert.Equal((50, 1, 1, 0), (report.RequestsFinished, report.ConnectionsTold, report.ConnectionsClosed, report.ConnectionsAborted));
    }

    private static Task<TestApp> StartAsync(bool tls, bool plain = false, Action<GracefulOptions>? options = null) => TestApp.StartAsync(
        options,
        listen =>
        {
            listen.Protocols = HttpProtocols.Http2;
            if (tls)
            {
                listen.UseHttps(Certificate.ForTests);
            }
        },
        builder => builder.Services.Configure<HostOptions>(host => host.ShutdownTimeout = TimeSpan.FromSeconds(3)),
        plain: plain);

    private static HttpClient Client(TestApp app, bool tls)
    {
        var handler = new SocketsHttpHandler { UseProxy = false };
        handler.SslOptions.RemoteCertificateValidationCallback = Certificate.IsOurs;
        return new HttpClient(handler)
        {
            BaseAddress = new Uri($"{(tls ? "https" : "http")}://127.0.0.1:{app.Port}"),
            DefaultRequestVersion = HttpVersion.Version20,
            DefaultVersionPolicy = HttpVersionPolicy.RequestVersionExact,
            Timeout = Limits.Hang,
        };
    }
}
