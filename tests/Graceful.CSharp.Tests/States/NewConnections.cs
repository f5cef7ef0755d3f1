using Graceful.Tests.Support;
using Microsoft.AspNetCore.Hosting;

namespace Graceful.Tests.States;

public sealed class NewConnections
{
    [Fact]
    public async Task A_request_that_comes_during_the_drain_is_served_and_told()
    {
        await using var app = await TestApp.StartAsync(Quiet.Long);
        using var client = await RawClient.ConnectAsync(app.Port);
        await app.BeginDrainAsync();
        await Quiet.LessAsync();
        var response = await client.GetAsync("/");
        Assert.Equal(200, response.Status);
        Assert.Equal("ok", response.Text);
        Assert.True(response.IsTold);
        Assert.Equal(Ending.Fin, await client.EndAsync());
        var report = await app.ReportAsync();
        Assert.Equal(0, report.ExitCode);
        Assert.Equal((1, 1, 1, 0), (report.RequestsFinished, report.ConnectionsTold, report.ConnectionsClosed, report.ConnectionsAborted));
    }

    [Fact]
    public async Task A_silent_one_ends_after_the_quiet_period_and_does_not_hold_the_stop_longer()
    {
        await using var app = await TestApp.StartAsync();
        using var client = await RawClient.ConnectAsync(app.Port);
        var report = await app.LeaveAsync();
        Assert.Equal(Ending.Fin, await client.EndAsync());
        Assert.Equal(0, report.ExitCode);
        Assert.InRange(report.Duration.TotalSeconds, 0.4, 2);
    }

    [Fact]
    public async Task A_TLS_handshake_that_begins_during_the_drain_is_served_and_told()
    {
        await using var app = await TestApp.StartAsync(Quiet.Long, listen => listen.UseHttps(Certificate.ForTests));
        using var client = await RawClient.ConnectAsync(app.Port);
        await app.BeginDrainAsync();
        await Quiet.LessAsync();
        await client.WithTlsAsync();
        var response = await client.GetAsync("/");
        Assert.Equal(200, response.Status);
        Assert.True(response.IsTold);
        Assert.Equal(Ending.Fin, await client.EndAsync());
        Assert.Equal(0, (await app.ReportAsync()).ExitCode);
    }

    [Fact]
    public async Task One_that_never_begins_its_TLS_handshake_ends_after_the_quiet_period()
    {
        await using var app = await TestApp.StartAsync(listen: listen => listen.UseHttps(Certificate.ForTests));
        using var client = await RawClient.ConnectAsync(app.Port);
        var report = await app.LeaveAsync();
        await client.ReadToEndAsync();
        Assert.Equal(0, report.ExitCode);
        Assert.InRange(report.Duration.TotalSeconds, 0.4, 3);
    }

    [Fact]
    public async Task Half_a_TLS_handshake_ends_after_the_quiet_period()
    {
        await using var app = await TestApp.StartAsync(listen: listen => listen.UseHttps(Certificate.ForTests));
        using var client = await RawClient.ConnectAsync(app.Port);

        // The first bytes of a ClientHello that announces 512 of them.
        await client.SendAsync(new byte[] { 0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01, 0xfc });
        var report = await app.LeaveAsync();
        await client.ReadToEndAsync();
        Assert.Equal(0, report.ExitCode);
        Assert.InRange(report.Duration.TotalSeconds, 0.4, 3);
    }

    [Fact]
    public async Task One_that_is_silent_after_its_TLS_handshake_ends_after_the_quiet_period()
    {
        await using var app = await TestApp.StartAsync(listen: listen => listen.UseHttps(Certificate.ForTests));
        using var client = await RawClient.ConnectAsync(app.Port);
        await client.WithTlsAsync();
        var report = await app.LeaveAsync();
        Assert.Equal(Ending.Fin, await client.EndAsync());
        Assert.Equal(0, report.ExitCode);
        Assert.InRange(report.Duration.TotalSeconds, 0.4, 3);
    }
}
