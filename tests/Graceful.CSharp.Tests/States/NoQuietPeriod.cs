using Graceful.Tests.Support;

namespace Graceful.Tests.States;

public sealed class NoQuietPeriod
{
    [Fact]
    public async Task New_and_idle_ones_end_at_once()
    {
        await using var app = await TestApp.StartAsync(AtOnce);
        using var idle = await RawClient.IdleAsync(app.Port);
        using var fresh = await RawClient.ConnectAsync(app.Port);
        using var half = await RawClient.ConnectAsync(app.Port);
        await half.SendAsync("GET / HT");
        var report = await app.LeaveAsync();
        Assert.Equal(Ending.Fin, await idle.EndAsync());
        Assert.Equal(Ending.Fin, await fresh.EndAsync());
        await half.ReadToEndAsync();
        Assert.Equal((0, 0L), (report.ExitCode, report.ConnectionsAborted));
        Assert.InRange(report.Duration.TotalSeconds, 0, 2);
    }

    [Fact]
    public async Task An_active_one_finishes_is_told_and_ends()
    {
        await using var app = await TestApp.StartAsync(AtOnce);
        using var client = await RawClient.ConnectAsync(app.Port);
        await client.SendGetAsync("/door");
        await app.Door.Reached();
        await app.BeginDrainAsync();
        app.Door.Open();
        var response = await client.ReadAsync();
        Assert.Equal("ok, at last", response.Text);
        Assert.True(response.IsTold);
        Assert.Equal(Ending.Fin, await client.EndAsync());
        Assert.Equal(0, (await app.ReportAsync()).ExitCode);
    }

    [Fact]
    public async Task One_whose_head_is_out_finishes_and_ends_with_it()
    {
        await using var app = await TestApp.StartAsync(AtOnce);
        using var client = await RawClient.ConnectAsync(app.Port);
        await client.SendGetAsync("/late");
        var head = await client.ReadHeadAsync();
        await app.BeginDrainAsync();
        app.Door.Open();
        Assert.Equal("first,second"u8.ToArray(), await client.ReadBodyAsync(head));
        Assert.Equal(Ending.Fin, await client.EndAsync());
        Assert.Equal(0, (await app.ReportAsync()).ExitCode);
    }

    [Fact]
    public async Task An_open_stream_of_HTTP_2_finishes_and_its_connection_ends_with_it()
    {
        await using var app = await TestApp.StartAsync(
            AtOnce, listen => listen.Protocols = Microsoft.AspNetCore.Server.Kestrel.Core.HttpProtocols.Http2);
        using var client = await RawHttp2Client.ConnectAsync(app.Port);
        var stream = await client.SendGetAsync("/door");
        await app.Door.Reached();
        await app.BeginDrainAsync();
        app.Door.Open();
        Assert.Equal("ok, at last", await client.ReadAsync(stream));
        Assert.Equal((stream, Ending.Fin), await client.EndAsync());
        Assert.Equal(0, (await app.ReportAsync()).ExitCode);
    }

    private static void AtOnce(GracefulOptions options) => options.QuietPeriod = TimeSpan.Zero;
}
