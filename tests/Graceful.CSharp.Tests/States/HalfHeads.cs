using Graceful.Tests.Support;
using Microsoft.AspNetCore.Hosting;

namespace Graceful.Tests.States;

public sealed class HalfHeads
{
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task The_rest_that_comes_during_the_drain_is_served_and_told(bool tls)
    {
        await using var app = await TestApp.StartAsync(Quiet.Long, listen => Secure(listen, tls));
        using var client = await RawClient.ConnectAsync(app.Port);
        if (tls)
        {
            await client.WithTlsAsync();
        }

        await client.SendAsync("GET / HTTP/1.1\r\nHost: loc");
        await app.BeginDrainAsync();
        await Quiet.LessAsync();
        await client.SendAsync("alhost\r\n\r\n");
        var response = await client.ReadAsync();
        Assert.Equal(200, response.Status);
        Assert.True(response.IsTold);
        Assert.Equal(Ending.Fin, await client.EndAsync());
        Assert.Equal(0, (await app.ReportAsync()).ExitCode);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_client_that_goes_silent_does_not_hold_the_drain_beyond_the_quiet_period(bool tls)
    {
        await using var app = await TestApp.StartAsync(listen: listen => Secure(listen, tls));
        using var client = await RawClient.ConnectAsync(app.Port);
        if (tls)
        {
            await client.WithTlsAsync();
        }

        await client.SendAsync("GET / HTTP/1.1\r\nHost: loc");
        var report = await app.LeaveAsync();
        await client.ReadToEndAsync();
        Assert.Equal(0, report.ExitCode);
        Assert.InRange(report.Duration.TotalSeconds, 0.4, 3);
    }

    [Fact]
    public async Task A_second_head_that_is_half_sent_when_the_drain_begins_is_served_and_told()
    {
        await using var app = await TestApp.StartAsync(Quiet.Long);
        using var client = await RawClient.IdleAsync(app.Port);
        await client.SendAsync("GET / HTTP/1.1\r\n");
        await app.BeginDrainAsync();
        await Quiet.LessAsync();
        await client.SendAsync("Host: localhost\r\n\r\n");
        var response = await client.ReadAsync();
        Assert.Equal(200, response.Status);
        Assert.True(response.IsTold);
        Assert.Equal(Ending.Fin, await client.EndAsync());
    }

    [Fact]
    public async Task A_head_that_trickles_for_longer_than_the_quiet_period_is_served()
    {
        await using var app = await TestApp.StartAsync();
        using var client = await RawClient.ConnectAsync(app.Port);
        await client.SendAsync("GET / HTTP/1.1\r\nHost: localhost\r\nX: ");
        await app.BeginDrainAsync();
        for (var i = 0; i < 8; i++)
        {
            await Task.Delay(100);
            await client.SendAsync("x");
        }

        await client.SendAsync("\r\n\r\n");
        var response = await client.ReadAsync();
        Assert.Equal(200, response.Status);
        Assert.True(response.IsTold);
        Assert.Equal(Ending.Fin, await client.EndAsync());
        Assert.Equal(0, (await app.ReportAsync()).ExitCode);
    }

    private static void Secure(Microsoft.AspNetCore.Server.Kestrel.Core.ListenOptions listen, bool tls)
    {
        if (tls)
        {
            listen.UseHttps(Certificate.ForTests);
        }
    }
}
