using Graceful.Tests.Support;

namespace Graceful.Tests.States;

public sealed class BadClients
{
    [Fact]
    public async Task Garbage_is_answered_400_and_nothing_else_is_lost()
    {
        await using var app = await TestApp.StartAsync(Quiet.Long);
        using var good = await RawClient.ConnectAsync(app.Port);
        await good.SendGetAsync("/door");
        await app.Door.Reached();
        using var garbage = await RawClient.ConnectAsync(app.Port);
        using var binary = await RawClient.ConnectAsync(app.Port);
        await app.BeginDrainAsync();
        await garbage.SendAsync("DO WHAT I MEAN\r\n\r\n");
        Assert.StartsWith("HTTP/1.1 400 ", (await garbage.ReadToEndAsync()).Text, StringComparison.Ordinal);
        await binary.SendAsync(new byte[] { 0, 1, 2, 3, 255, 254, 13, 10, 13, 10 });
        await binary.ReadToEndAsync();
        app.Door.Open();
        Assert.Equal("ok, at last", (await good.ReadAsync()).Text);
        Assert.Equal(0, (await app.ReportAsync()).ExitCode);
    }

    [Fact]
    public async Task Garbage_for_a_TLS_handshake_ends_and_holds_nobody()
    {
        await using var app = await TestApp.StartAsync(Quiet.Long, listen => Microsoft.AspNetCore.Hosting.ListenOptionsHttpsExtensions.UseHttps(listen, Certificate.ForTests));
        using var garbage = await RawClient.ConnectAsync(app.Port);
        await app.BeginDrainAsync();
        await garbage.SendAsync("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
        await garbage.ReadToEndAsync();
        var report = await app.ReportAsync();
        Assert.Equal(0, report.ExitCode);
        Assert.InRange(report.Duration.TotalSeconds, 0, 5);
    }

    [Fact]
    public async Task A_client_that_resets_in_the_middle_of_its_request_holds_nobody()
    {
        await using var app = await TestApp.StartAsync(options => options.QuietPeriod = TimeSpan.FromSeconds(30));
        using var good = await RawClient.ConnectAsync(app.Port);
        await good.SendGetAsync("/door");
        await app.Door.Reached();
        using var upload = await RawClient.ConnectAsync(app.Port);
        await upload.SendAsync("POST /upload HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\nabc");
        using var slow = await RawClient.ConnectAsync(app.Port);
        await slow.SendGetAsync("/slow?ms=20000");
        using var half = await RawClient.ConnectAsync(app.Port);
        await half.SendAsync("GET / HT");
        await app.BeginDrainAsync();
        upload.Reset();
        slow.Reset();
        half.Reset();
        app.Door.Open();
        Assert.Equal("ok, at last", (await good.ReadAsync()).Text);
        var report = await app.ReportAsync();
        Assert.Equal(0, report.ExitCode);
        Assert.InRange(report.Duration.TotalSeconds, 0, 8);
    }

    [Fact]
    public async Task Clients_that_connect_and_reset_at_once_hold_nobody()
    {
        await using var app = await TestApp.StartAsync(options => options.QuietPeriod = TimeSpan.FromSeconds(30));
        using var stop = new CancellationTokenSource();
        var rude = Task.Run(async () =>
        {
            try
            {
                while (!stop.IsCancellationRequested)
                {
                    using var client = await RawClient.ConnectAsync(app.Port);
                    client.Reset();
                }
            }
            catch (System.Net.Sockets.SocketException)
            {
                // Refused: the listener is closed.
            }
        });
        await Quiet.LessAsync();
        var report = await app.LeaveAsync();
        await stop.CancelAsync();
        await rude.Soon();
        Assert.Equal(0, report.ExitCode);
        Assert.InRange(report.Duration.TotalSeconds, 0, 8);
    }

    [Fact]
    public async Task A_request_head_that_is_too_long_holds_nobody()
    {
        await using var app = await TestApp.StartAsync(Quiet.Long);
        using var client = await RawClient.ConnectAsync(app.Port);
        await app.BeginDrainAsync();
        await client.SendAsync($"GET / HTTP/1.1\r\nX: {new string('x', 40_000)}");
        Assert.StartsWith("HTTP/1.1 431 ", (await client.ReadToEndAsync()).Text, StringComparison.Ordinal);
        Assert.Equal(0, (await app.ReportAsync()).ExitCode);
    }
}
