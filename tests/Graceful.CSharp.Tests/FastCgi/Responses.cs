using Graceful.Tests.Support;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;

namespace Graceful.Tests.FastCgi;

public sealed class Responses
{
    [Fact]
    public async Task A_connection_serves_one_request_after_the_other()
    {
        await using var app = await StartAsync();
        using var client = await RawFastCgiClient.ConnectAsync(app.Port);
        for (var time = 0; time < 3; time++)
        {
            var answer = await client.GetAsync("/");
            Assert.Equal((200, "ok", "", 0, 0), (answer.Status, answer.Text, answer.Error, answer.ApplicationStatus, answer.ProtocolStatus));
        }
    }

    [Fact]
    public async Task Without_keep_conn_it_ends_behind_the_request()
    {
        await using var app = await StartAsync();
        using var client = await RawFastCgiClient.ConnectAsync(app.Port);
        Assert.Equal("ok", (await client.GetAsync("/", keep: false)).Text);
        Assert.Equal(Ending.Fin, await client.EndAsync());
    }

    [Fact]
    public async Task A_failure_is_answered_with_500_and_its_words_go_to_the_web_servers_log()
    {
        await using var app = await StartAsync();
        using var client = await RawFastCgiClient.ConnectAsync(app.Port);
        var answer = await client.GetAsync("/throw");
        Assert.Equal((500, "", 1, 0), (answer.Status, answer.Text, answer.ApplicationStatus, answer.ProtocolStatus));
        Assert.Equal("InvalidOperationException: as planned", answer.Error);
        Assert.Contains(app.Log.OfGraceful, entry => entry.Id.Id == 80 && entry.Error?.Message == "as planned");
        Assert.Equal("ok", (await client.GetAsync("/")).Text);
    }

    [Fact]
    public async Task A_body_is_read_as_it_was_sent()
    {
        await using var app = await StartAsync();
        using var client = await RawFastCgiClient.ConnectAsync(app.Port);
        var variables = RawFastCgiClient.Variables("POST", "/echo", ("CONTENT_LENGTH", "5"), ("CONTENT_TYPE", "text/plain"));
        await client.SendAsync(RawFastCgiClient.Request(variables, body: "hello"u8.ToArray()));
        Assert.Equal("hello", (await client.ReadAsync()).Text);
    }

    internal static Task<TestApp> StartAsync(Action<GracefulOptions>? options = null, Action<WebApplication>? map = null) => TestApp.StartAsync(
        options,
        listen: endpoint => endpoint.UseFastCgi(),
        map: app =>
        {
            app.MapPost("/echo", async (HttpContext context) => await context.Request.Body.CopyToAsync(context.Response.Body));
            map?.Invoke(app);
        });
}
