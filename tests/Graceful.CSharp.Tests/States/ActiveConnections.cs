using Graceful.Tests.Support;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Builder;

namespace Graceful.Tests.States;

public sealed class ActiveConnections
{
    [Fact]
    public async Task Before_its_head_is_out_a_response_tells_and_the_connection_ends()
    {
        await using var app = await TestApp.StartAsync();
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
    public async Task After_its_head_is_out_the_response_completes_and_the_next_one_tells()
    {
        await using var app = await TestApp.StartAsync(Quiet.Long);
        using var client = await RawClient.ConnectAsync(app.Port);
        await client.SendGetAsync("/late");
        var head = await client.ReadHeadAsync();
        Assert.False(head.IsTold);
        await app.BeginDrainAsync();
        app.Door.Open();
        Assert.Equal("first,second"u8.ToArray(), await client.ReadBodyAsync(head));
        await Quiet.LessAsync();
        Assert.False(client.HasNews);
        var next = await client.GetAsync("/");
        Assert.Equal(200, next.Status);
        Assert.True(next.IsTold);
        Assert.Equal(Ending.Fin, await client.EndAsync());
        Assert.Equal(0, (await app.ReportAsync()).ExitCode);
    }

    [Fact]
    public async Task After_its_head_is_out_and_without_a_next_request_the_connection_ends_after_the_quiet_period()
    {
        await using var app = await TestApp.StartAsync();
        using var client = await RawClient.ConnectAsync(app.Port);
        await client.SendGetAsync("/late");
        var head = await client.ReadHeadAsync();
        await app.BeginDrainAsync();
        app.Door.Open();
        Assert.Equal("first,second"u8.ToArray(), await client.ReadBodyAsync(head));
        Assert.Equal(Ending.Fin, await client.EndAsync());
        var report = await app.ReportAsync();
        Assert.Equal(0, report.ExitCode);
        Assert.Equal((1, 0, 1), (report.RequestsFinished, report.ConnectionsTold, report.ConnectionsClosed));
    }

    [Fact]
    public async Task A_slow_reader_gets_every_byte()
    {
        const int Mebibytes = 16;
        await using var app = await TestApp.StartAsync();
        using var client = await RawClient.ConnectAsync(app.Port, smallWindow: true);
        await client.SendGetAsync($"/big?mib={Mebibytes}");
        var head = await client.ReadHeadAsync();
        await app.BeginDrainAsync();

        // Long enough that the quiet period passes while the client does not read at all.
        await Task.Delay(800);
        var body = await client.ReadBodyAsync(head);
        Assert.Equal(Mebibytes << 20, body.Length);
        Assert.Equal(Ending.Fin, await client.EndAsync());
        var report = await app.ReportAsync();
        Assert.Equal(0, report.ExitCode);
        Assert.Equal(0, report.ConnectionsAborted);
    }

    [Fact]
    public async Task A_slow_reader_of_a_response_that_the_application_has_finished_gets_every_byte()
    {
        await using var app = await TestApp.StartAsync(map: more => more.MapGet("/buffered", async (HttpContext context) =>
        {
            // Less than what Kestrel takes before it waits for the client, more than what the client's kernel takes.
            await context.Response.Body.WriteAsync(new byte[60_000]);
        }));
        using var client = await RawClient.ConnectAsync(app.Port, smallWindow: true);
        await app.BeginDrainAsync();
        await client.SendGetAsync("/buffered");
        await Task.Delay(1200);
        var response = await client.ReadAsync();
        Assert.Equal(60_000, response.Body.Length);
        Assert.True(response.IsTold);
        Assert.Equal(Ending.Fin, await client.EndAsync());
        Assert.Equal(0, (await app.ReportAsync()).ExitCode);
    }

    [Fact]
    public async Task Of_two_pipelined_requests_the_first_is_answered_and_tells_that_the_second_was_not()
    {
        await using var app = await TestApp.StartAsync();
        using var client = await RawClient.ConnectAsync(app.Port);
        await client.SendAsync("GET /door HTTP/1.1\r\nHost: localhost\r\n\r\nGET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
        await app.Door.Reached();
        await app.BeginDrainAsync();
        app.Door.Open();
        var response = await client.ReadAsync();
        Assert.Equal("ok, at last", response.Text);
        Assert.True(response.IsTold);
        Assert.Equal(Ending.Fin, await client.EndAsync());
        Assert.Equal(0, (await app.ReportAsync()).ExitCode);
    }

    [Theory]
    [InlineData("HEAD", 200)]
    [InlineData("OPTIONS", 204)]
    public async Task A_response_without_a_body_tells_as_well(string method, int status)
    {
        await using var app = await TestApp.StartAsync(Quiet.Long, map: more => more.MapMethods("/bare", [method], (HttpContext context) =>
        {
            context.Response.StatusCode = status;
        }));
        using var client = await RawClient.ConnectAsync(app.Port);
        await app.BeginDrainAsync();
        await client.SendAsync($"{method} /bare HTTP/1.1\r\nHost: localhost\r\n\r\n");
        var head = await client.ReadHeadAsync();
        Assert.Equal(status, head.Status);
        Assert.True(head.IsTold);
        Assert.Equal(Ending.Fin, await client.EndAsync());
        Assert.Equal(0, (await app.ReportAsync()).ExitCode);
    }

    [Fact]
    public async Task A_request_that_throws_is_answered_500_and_the_connection_ends()
    {
        await using var app = await TestApp.StartAsync(Quiet.Long);
        using var client = await RawClient.ConnectAsync(app.Port);
        await app.BeginDrainAsync();
        var response = await client.GetAsync("/throw");
        Assert.Equal(500, response.Status);
        Assert.Equal(Ending.Fin, await client.EndAsync());
        Assert.Equal(0, (await app.ReportAsync()).ExitCode);
    }

    [Fact]
    public async Task A_client_of_HTTP_1_0_is_answered_and_its_connection_ends()
    {
        await using var app = await TestApp.StartAsync(Quiet.Long);
        using var client = await RawClient.ConnectAsync(app.Port);
        await client.SendAsync("GET /door HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
        await app.Door.Reached();
        await app.BeginDrainAsync();
        app.Door.Open();
        var (text, ending) = await client.ReadToEndAsync();
        Assert.Contains("200 OK", text, StringComparison.Ordinal);
        Assert.EndsWith("ok, at last", text, StringComparison.Ordinal);
        Assert.DoesNotContain("keep-alive", text, StringComparison.OrdinalIgnoreCase);
        Assert.Equal(Ending.Fin, ending);
        Assert.Equal(0, (await app.ReportAsync()).ExitCode);
    }
}
