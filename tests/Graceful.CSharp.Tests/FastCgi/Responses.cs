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
    public async Task Without_keep_conn_the_rest_of_a_body_that_nobody_read_is_taken_before_it_ends()
    {
        await using var app = await StartAsync(map: more => more.MapPost("/refuse", () => Results.StatusCode(403)));
        using var client = await RawFastCgiClient.ConnectAsync(app.Port);
        await client.SendAsync((byte[])[
            .. RawFastCgiClient.BeginRecord(keep: false),
            .. RawFastCgiClient.Record(RawFastCgiClient.Params, 1, RawFastCgiClient.Variables("POST", "/refuse", ("CONTENT_LENGTH", "600000"))),
            .. RawFastCgiClient.Record(RawFastCgiClient.Params, 1, [])]);
        Assert.Equal(403, (await client.ReadAsync()).Status);
        for (var time = 0; time < 10; time++)
        {
            await client.SendAsync(RawFastCgiClient.Record(RawFastCgiClient.Stdin, 1, new byte[60_000]));
        }

        Assert.False(client.Raw.HasNews);
        await client.SendAsync(RawFastCgiClient.Record(RawFastCgiClient.Stdin, 1, []));
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

    [Theory]
    [InlineData("/breaks", "InvalidOperationException: too late")]
    [InlineData("/short", "and 5 bytes of that were not written")]
    public async Task A_response_that_can_not_be_completed_has_no_end_and_its_client_sees_that(string path, string error)
    {
        await using var app = await StartAsync(map: more =>
        {
            more.MapGet("/breaks", async (HttpResponse response) =>
            {
                await response.WriteAsync("begun");
                throw new InvalidOperationException("too\r\nlate".Replace("\r\n", " ", StringComparison.Ordinal));
            });
            more.MapGet("/short", async (HttpResponse response) =>
            {
                response.ContentLength = 10;
                await response.WriteAsync("begun");
            });
        });
        using var client = await RawFastCgiClient.ConnectAsync(app.Port);
        await client.SendGetAsync(path);
        Assert.Equal(RawFastCgiClient.Stdout, (await client.ReadRecordAsync()).Type);
        var record = await client.ReadRecordAsync();
        Assert.Equal(RawFastCgiClient.Stderr, record.Type);
        Assert.Contains(error, System.Text.Encoding.UTF8.GetString(record.Content), StringComparison.Ordinal);
        Assert.Equal(Ending.Fin, await client.EndAsync());
    }

    [Fact]
    public async Task Headers_are_what_the_application_set_and_nothing_that_is_not_the_web_servers_business()
    {
        await using var app = await StartAsync(map: more => more.MapGet("/headers", (HttpResponse response) =>
        {
            response.StatusCode = 404;
            response.Headers["X-One"] = "1";
            response.Headers.Append("Set-Cookie", "a=1");
            response.Headers.Append("Set-Cookie", "b=2");
            response.Headers.Connection = "close";
            response.Headers.TransferEncoding = "chunked";
            response.Headers["Status"] = "200 as if";
            return "no such thing";
        }));
        using var client = await RawFastCgiClient.ConnectAsync(app.Port);
        var answer = await client.GetAsync("/headers");
        Assert.StartsWith("Status: 404 Not Found\r\n", answer.Head, StringComparison.Ordinal);
        Assert.Contains("X-One: 1\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2", answer.Head, StringComparison.Ordinal);
        Assert.Null(answer.Header("Connection"));
        Assert.Null(answer.Header("Transfer-Encoding"));
        Assert.DoesNotContain("as if", answer.Head, StringComparison.Ordinal);
        Assert.Equal("no such thing", answer.Text);
    }

    [Theory]
    [InlineData("X-Split", "a\r\nStatus: 200 OK")]
    [InlineData("X-Null", "a\0b")]
    [InlineData("X-Umlaut", "ä")]
    [InlineData("X Space", "a")]
    [InlineData("X-Colon:", "a")]
    [InlineData("", "a")]
    public async Task A_header_that_is_none_fails_the_request_and_is_never_sent(string name, string value)
    {
        await using var app = await StartAsync(map: more => more.MapGet("/header", (HttpResponse response) =>
        {
            response.Headers[name] = value;
            return "never";
        }));
        using var client = await RawFastCgiClient.ConnectAsync(app.Port);
        var answer = await client.GetAsync("/header");
        Assert.Equal((500, "", 1), (answer.Status, answer.Text, answer.ApplicationStatus));
        Assert.Equal("Status: 500 Internal Server Error\r\nContent-Length: 0", answer.Head);
    }

    [Theory]
    [InlineData("HEAD", "/page", 200)]
    [InlineData("GET", "/none", 204)]
    [InlineData("GET", "/same", 304)]
    public async Task Some_have_no_body(string method, string path, int status)
    {
        await using var app = await StartAsync(map: more =>
        {
            more.MapMethods("/page", ["HEAD"], async (HttpResponse response) =>
            {
                response.ContentLength = 4;
                await response.WriteAsync("page");
            });
            more.MapGet("/none", () => Results.NoContent());
            more.MapGet("/same", () => Results.StatusCode(304));
        });
        using var client = await RawFastCgiClient.ConnectAsync(app.Port);
        await client.SendAsync(RawFastCgiClient.Request(RawFastCgiClient.Variables(method, path)));
        var answer = await client.ReadAsync();
        Assert.Equal((status, "", 0), (answer.Status, answer.Text, answer.ApplicationStatus));
        Assert.Equal(method == "HEAD" ? "4" : null, answer.Header("Content-Length"));
    }

    [Fact]
    public async Task More_than_was_announced_is_an_error_of_the_application()
    {
        await using var app = await StartAsync(map: more => more.MapGet("/much", async (HttpResponse response) =>
        {
            response.ContentLength = 3;
            await response.WriteAsync("much");
        }));
        using var client = await RawFastCgiClient.ConnectAsync(app.Port);
        await client.SendGetAsync("/much");
        Assert.Contains("Content-Length of 3, and 4 bytes", (await client.Raw.ReadToEndAsync()).Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Callbacks_run_before_the_head_and_after_the_end_last_in_first_out()
    {
        var happened = new System.Collections.Concurrent.ConcurrentQueue<string>();
        await using var app = await StartAsync(map: more => more.MapGet("/calls", async (HttpResponse response) =>
        {
            foreach (var name in (string[])["a", "b"])
            {
                response.OnStarting(() =>
                {
                    happened.Enqueue($"starting {name}");
                    response.Headers[$"X-{name}"] = "set";
                    return Task.CompletedTask;
                });
                response.OnCompleted(() =>
                {
                    happened.Enqueue($"completed {name}");
                    return Task.CompletedTask;
                });
            }

            await response.WriteAsync("body");
            happened.Enqueue("written");
            Assert.True(response.HasStarted);
            Assert.Throws<InvalidOperationException>(() => response.StatusCode = 400);
        }));
        using var client = await RawFastCgiClient.ConnectAsync(app.Port);
        var answer = await client.GetAsync("/calls");
        Assert.Equal(("set", "set"), (answer.Header("X-a"), answer.Header("X-b")));
        await Limits.Until(() => happened.Count == 5, "all were called");
        Assert.Equal(["starting b", "starting a", "written", "completed b", "completed a"], happened);
    }

    [Fact]
    public async Task All_ways_to_write_a_body_come_to_the_same()
    {
        var file = Path.GetTempFileName();
        await File.WriteAllTextAsync(file, "0123456789", TestContext.Current.CancellationToken);
        try
        {
            await using var app = await StartAsync(map: more => more.MapGet("/ways", async (HttpResponse response) =>
            {
                "a"u8.CopyTo(response.BodyWriter.GetSpan(1));
                response.BodyWriter.Advance(1);
                await response.StartAsync();
                await response.Body.WriteAsync("b"u8.ToArray());
                await response.BodyWriter.WriteAsync("c"u8.ToArray());
                await response.SendFileAsync(file, 2, 3);
                response.BodyWriter.GetMemory(100_000).Span[..100_000].Fill((byte)'x');
                response.BodyWriter.Advance(100_000);
                await response.Body.WriteAsync(new byte[200_000]);
                await response.CompleteAsync();
            }));
            using var client = await RawFastCgiClient.ConnectAsync(app.Port);
            var answer = await client.GetAsync("/ways");
            Assert.Equal(6 + 100_000 + 200_000, answer.Body.Length);
            Assert.StartsWith("abc234xxx", answer.Text[..9], StringComparison.Ordinal);
            Assert.Equal((byte)'x', answer.Body[100_005]);
            Assert.Equal(0, answer.Body[100_006]);
        }
        finally
        {
            File.Delete(file);
        }
    }

    [Fact]
    public async Task What_is_flushed_is_there_before_the_request_ends()
    {
        await using var app = await StartAsync();
        using var client = await RawFastCgiClient.ConnectAsync(app.Port);
        await client.SendGetAsync("/late");
        Assert.EndsWith("\r\n\r\nfirst,", System.Text.Encoding.Latin1.GetString((await client.ReadRecordAsync()).Content), StringComparison.Ordinal);
        app.Door.Open();
        Assert.Equal("second", (await client.ReadAsync()).Text);
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
