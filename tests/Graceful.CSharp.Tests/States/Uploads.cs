using Graceful.Tests.Support;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace Graceful.Tests.States;

public sealed class Uploads
{
    [Fact]
    public async Task One_that_trickles_completes_and_is_told()
    {
        await using var app = await TestApp.StartAsync();
        using var client = await RawClient.ConnectAsync(app.Port);
        await client.SendAsync("POST /upload HTTP/1.1\r\nHost: localhost\r\nContent-Length: 40\r\n\r\n");
        await client.SendAsync("0123456789");
        await app.BeginDrainAsync();
        for (var i = 0; i < 3; i++)
        {
            await Quiet.LessAsync();
            await client.SendAsync("0123456789");
        }

        var response = await client.ReadAsync();
        Assert.Equal("40 bytes", response.Text);
        Assert.True(response.IsTold);
        Assert.Equal(Ending.Fin, await client.EndAsync());
        Assert.Equal(0, (await app.ReportAsync()).ExitCode);
    }

    [Fact]
    public async Task A_chunked_one_that_trickles_completes_and_is_told()
    {
        await using var app = await TestApp.StartAsync();
        using var client = await RawClient.ConnectAsync(app.Port);
        await client.SendAsync("POST /upload HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n");
        await client.SendAsync("a\r\n0123456789\r\n");
        await app.BeginDrainAsync();
        for (var i = 0; i < 3; i++)
        {
            await Quiet.LessAsync();
            await client.SendAsync("a\r\n0123456789\r\n");
        }

        await client.SendAsync("0\r\n\r\n");
        var response = await client.ReadAsync();
        Assert.Equal("40 bytes", response.Text);
        Assert.True(response.IsTold);
        Assert.Equal(Ending.Fin, await client.EndAsync());
        Assert.Equal(0, (await app.ReportAsync()).ExitCode);
    }

    [Fact]
    public async Task One_that_pauses_for_longer_than_the_quiet_period_completes()
    {
        await using var app = await TestApp.StartAsync(options => options.QuietPeriod = TimeSpan.FromMilliseconds(200));
        using var client = await RawClient.ConnectAsync(app.Port);
        await client.SendAsync("POST /upload HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\n\r\nab");
        await app.BeginDrainAsync();
        await Task.Delay(1000);
        await client.SendAsync("cd");
        var response = await client.ReadAsync();
        Assert.Equal("4 bytes", response.Text);
        Assert.True(response.IsTold);
        Assert.Equal(Ending.Fin, await client.EndAsync());
    }

    [Fact]
    public async Task One_that_waits_for_100_Continue_completes_and_is_told()
    {
        await using var app = await TestApp.StartAsync(Quiet.Long);
        using var client = await RawClient.ConnectAsync(app.Port);
        await app.BeginDrainAsync();
        await client.SendAsync("POST /upload HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n");
        Assert.Equal(100, (await client.ReadHeadAsync()).Status);
        await client.SendAsync("abcd");
        var response = await client.ReadAsync();
        Assert.Equal("4 bytes", response.Text);
        Assert.True(response.IsTold);
        Assert.Equal(Ending.Fin, await client.EndAsync());
    }

    [Fact]
    public async Task An_answer_that_comes_before_the_body_was_sent_is_not_lost_to_a_reset()
    {
        await using var app = await TestApp.StartAsync(map: more => more.MapPost("/early", () => "no need"));
        using var client = await RawClient.ConnectAsync(app.Port);
        await app.BeginDrainAsync();
        await client.SendAsync("POST /early HTTP/1.1\r\nHost: localhost\r\nContent-Length: 800000\r\n\r\n");
        var part = new byte[100_000];
        for (var i = 0; i < 8; i++)
        {
            await Task.Delay(50);
            await client.SendAsync(part);
        }

        var response = await client.ReadAsync();
        Assert.Equal("no need", response.Text);
        Assert.True(response.IsTold);
        Assert.Equal(Ending.Fin, await client.EndAsync());
        Assert.Equal(0, (await app.ReportAsync()).ExitCode);
    }

    [Fact]
    public async Task One_that_stalls_gets_its_408_while_plain_Kestrel_waits_for_its_shutdown_timeout()
    {
        await using var graceful = await StartAsync(plain: false);
        await using var plain = await StartAsync(plain: true);
        using var first = await StalledAsync(graceful);
        using var second = await StalledAsync(plain);
        var report = graceful.LeaveAsync();
        var clock = System.Diagnostics.Stopwatch.StartNew();
        var plainStop = plain.Host.StopAsync();
        var (text, _) = await first.ReadToEndAsync();
        Assert.StartsWith("HTTP/1.1 408 ", text, StringComparison.Ordinal);
        Assert.Equal(0, (await report).ExitCode);
        await plainStop.Soon();
        Assert.InRange(clock.Elapsed.TotalSeconds, 2.9, 15);
        Assert.Equal("", (await second.ReadToEndAsync()).Text);
    }

    private static Task<TestApp> StartAsync(bool plain) => TestApp.StartAsync(
        plain: plain,
        build: builder =>
        {
            builder.Services.Configure<HostOptions>(host => host.ShutdownTimeout = TimeSpan.FromSeconds(3));
            builder.WebHost.ConfigureKestrel(kestrel =>
                kestrel.Limits.MinRequestBodyDataRate = new MinDataRate(100, TimeSpan.FromSeconds(1.1)));
        });

    private static async Task<RawClient> StalledAsync(TestApp app)
    {
        var client = await RawClient.ConnectAsync(app.Port);
        await client.SendAsync("POST /upload HTTP/1.1\r\nHost: localhost\r\nContent-Length: 40\r\n\r\n0123456789");
        await app.Log.Until("Executing endpoint");
        return client;
    }
}
