using System.Globalization;
using System.Text;
using Graceful.FastCgi;
using Graceful.Tests.Support;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace Graceful.Tests.FastCgi;

public sealed class Requests
{
    [Fact]
    public async Task What_nginx_sends_is_the_request_of_its_client()
    {
        await using var app = await StartAsync();
        using var client = await RawFastCgiClient.ConnectAsync(app.Port);
        await client.SendAsync(RawFastCgiClient.Request(RawFastCgiClient.Variables(
            "POST", "/say/a%20b/%2F?x=1&y=%41", ("HTTPS", "on"), ("CONTENT_LENGTH", "2"), ("CONTENT_TYPE", "text/plain"), ("HTTP_USER_AGENT", "curl"), ("HTTP_X_MY_OWN", "ä"),
            ("HTTP_CONTENT_LENGTH", "2"), ("HTTP_CONTENT_TYPE", "text/plain"), ("HTTP_CONNECTION", "close"), ("HTTP_TRANSFER_ENCODING", "chunked"), ("REMOTE_USER", "me")), body: "ab"u8.ToArray()));
        var answer = await client.ReadAsync();
        Assert.Equal(200, answer.Status);
        Assert.Equal(
            [
                "POST https HTTP/1.1", "base ", "path /say/a b/%2F", "query ?x=1&y=%41", "target /say/a%20b/%2F?x=1&y=%41", "remote 192.0.2.7:40404", "local 198.51.100.1:8080",
                "length 2", "body ab", "variable me", "header Content-Length: 2", "header Content-Type: text/plain", "header Host: localhost:8080",
                "header User-Agent: curl", "header X-My-Own: ä",
            ],
            answer.Text.Split('\n'));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(7)]
    [InlineData(1000)]
    public async Task Variables_may_have_any_length_and_be_split_anywhere(int piece)
    {
        await using var app = await StartAsync();
        using var client = await RawFastCgiClient.ConnectAsync(app.Port);
        byte[] variables =
        [
            .. RawFastCgiClient.Variables("GET", "/say/x"), .. RawFastCgiClient.Pair("HTTP_X_LONG", new string('l', 3000)),
            .. RawFastCgiClient.Pair("REMOTE_USER", "me", longLengths: true), .. RawFastCgiClient.Pair("EMPTY", ""),
        ];
        var records = new List<byte>(RawFastCgiClient.BeginRecord());
        for (var from = 0; from < variables.Length; from += piece)
        {
            records.AddRange(RawFastCgiClient.Record(RawFastCgiClient.Params, 1, variables.AsSpan(from, Math.Min(piece, variables.Length - from)), padding: from % 256));
        }

        records.AddRange([.. RawFastCgiClient.Record(RawFastCgiClient.Params, 1, []), .. RawFastCgiClient.Record(RawFastCgiClient.Stdin, 1, [], padding: 255)]);
        await client.SendAsync(records.ToArray());
        var answer = await client.ReadAsync();
        Assert.Contains("variable me", answer.Text, StringComparison.Ordinal);
        Assert.Contains("header X-Long: " + new string('l', 3000), answer.Text, StringComparison.Ordinal);
    }

    public static TheoryData<string, int, byte[]> Bad() => new()
    {
        { "no method", 400, RawFastCgiClient.Pairs(("REQUEST_URI", "/")) },
        { "an empty method", 400, RawFastCgiClient.Pairs(("REQUEST_URI", "/"), ("REQUEST_METHOD", "")) },
        { "a method that is none", 400, RawFastCgiClient.Pairs(("REQUEST_URI", "/"), ("REQUEST_METHOD", "G T")) },
        { "no path", 400, RawFastCgiClient.Pairs(("REQUEST_METHOD", "GET")) },
        { "a path that is none", 400, RawFastCgiClient.Pairs(("REQUEST_METHOD", "GET"), ("REQUEST_URI", "say/x")) },
        { "a path with a line end", 400, RawFastCgiClient.Pairs(("REQUEST_METHOD", "GET"), ("REQUEST_URI", "/\r\n")) },
        { "a path with a null", 400, RawFastCgiClient.Pairs(("REQUEST_METHOD", "GET"), ("REQUEST_URI", "/a%00b")) },
        { "a length that is none", 400, RawFastCgiClient.Variables("POST", "/say/x", ("CONTENT_LENGTH", "-1")) },
        { "a length beyond all numbers", 400, RawFastCgiClient.Variables("POST", "/say/x", ("CONTENT_LENGTH", "99999999999999999999")) },
        { "two lengths", 400, RawFastCgiClient.Variables("POST", "/say/x", ("CONTENT_LENGTH", "1"), ("CONTENT_LENGTH", "2")) },
        { "two methods", 400, RawFastCgiClient.Variables("POST", "/say/x", ("REQUEST_METHOD", "GET")) },
        { "two targets", 400, RawFastCgiClient.Variables("GET", "/say/x", ("REQUEST_URI", "/say/y")) },
        { "two hosts", 400, RawFastCgiClient.Variables("GET", "/say/x", ("HTTP_HOST", "elsewhere")) },
        { "a header with a null", 400, RawFastCgiClient.Variables("GET", "/say/x", ("HTTP_X", "a\0b")) },
        { "a header with a line end", 400, RawFastCgiClient.Variables("GET", "/say/x", ("HTTP_X", "a\nb")) },
        { "a header without a name", 400, RawFastCgiClient.Variables("GET", "/say/x", ("HTTP_", "a")) },
        { "a header whose name is none", 400, RawFastCgiClient.Variables("GET", "/say/x", ("HTTP_A B", "a")) },
        { "a header that is no UTF-8", 400, [.. RawFastCgiClient.Variables("GET", "/say/x"), 6, 1, .. "HTTP_X"u8, 0xFF] },
        { "a protocol that is none", 400, RawFastCgiClient.Variables("GET", "/say/x", ("SERVER_PROTOCOL", "GOPHER")) },
        { "a pair that is cut off", 400, [.. RawFastCgiClient.Variables("GET", "/say/x"), 6, 200] },
        { "a length that is cut off", 400, [.. RawFastCgiClient.Variables("GET", "/say/x"), 0x80, 0, 0] },
        { "a pair of 4 GiB", 400, [.. RawFastCgiClient.Variables("GET", "/say/x"), 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF] },
        { "too many", 431, [.. Enumerable.Range(0, 257).SelectMany(index => RawFastCgiClient.Pair($"V{index}", ""))] },
        { "more than fit", 431, [.. RawFastCgiClient.Variables("GET", "/say/x"), .. RawFastCgiClient.Pair("HTTP_X", new string('x', 65_000)), .. RawFastCgiClient.Pair("Y", new string('x', 1000))] },
    };

    [Theory]
    [MemberData(nameof(Bad), DisableDiscoveryEnumeration = true)]
    public async Task One_that_makes_no_sense_is_refused_and_the_connection_goes_on(string what, int status, byte[] variables)
    {
        await using var app = await StartAsync();
        using var client = await RawFastCgiClient.ConnectAsync(app.Port);
        await client.SendAsync((byte[])[
            .. RawFastCgiClient.BeginRecord(),
            .. variables.Chunk(60_000).SelectMany(chunk => RawFastCgiClient.Record(RawFastCgiClient.Params, 1, chunk)),
            .. RawFastCgiClient.Record(RawFastCgiClient.Params, 1, []), .. RawFastCgiClient.Record(RawFastCgiClient.Stdin, 1, "rest"u8), .. RawFastCgiClient.Record(RawFastCgiClient.Stdin, 1, [])]);
        var answer = await client.ReadAsync();
        Assert.True(status == answer.Status && answer.ProtocolStatus == 0, $"{what}: {answer.Head}");
        Assert.Contains(app.Log.OfGraceful, entry => entry.Id.Id == 81);
        Assert.Equal(200, (await client.GetAsync("/say/again")).Status);
    }

    [Theory]
    [InlineData("/a/b", null, "/a/b", null, "", "/a/b")]
    [InlineData("/a/%62?x", null, "/a/b", null, "", "/a/b")]
    [InlineData("/a/b", null, "/a/b", "", "", "/a/b")]
    [InlineData("/app/b", null, "/app", "/b", "/app", "/b")]
    [InlineData("/app/", null, "/app/", "/b", "/app", "/b")]
    [InlineData("/b", null, "", "/b", "", "/b")]
    [InlineData(null, "/rewritten", "/a", null, "", "/rewritten")]
    [InlineData(null, null, "/a", null, "", "/a")]
    [InlineData("/a/../b/./c", null, "/x", null, "", "/b/c")]
    [InlineData("/%2e%2e/../b/..", null, "/x", null, "", "/")]
    [InlineData("/a%2Fb%c0%80", null, "/x", null, "", "/a%2Fb%c0%80")]
    [InlineData("http://host/a?x", null, "/x", null, "", "/a")]
    [InlineData("http://host", null, "/x", null, "", "/")]
    [InlineData("*", null, "", null, "", "")]
    public void The_path_is_what_the_web_server_says(string? uri, string? document, string? script, string? info, string pathBase, string path)
    {
        Assert.True(RequestTarget.TryFind(uri, document, script, info, null, out var target));
        Assert.Equal((pathBase, path), (target.PathBase, target.Path));
    }

    [Theory]
    [InlineData("on", "http", "https")]
    [InlineData("ON", "http", "https")]
    [InlineData("1", "http", "https")]
    [InlineData("", "https", "https")]
    [InlineData("off", "http", "http")]
    [InlineData("", "gopher", "http")]
    public void The_scheme_is_that_of_the_client(string https, string scheme, string expected)
    {
        var map = new RequestMap();
        Assert.Equal(200, map.Read(RawFastCgiClient.Pairs(("REQUEST_METHOD", "GET"), ("SCRIPT_NAME", "/"), ("HTTPS", https), ("REQUEST_SCHEME", scheme)), 100, out _));
        Assert.Equal(expected, map.Scheme);
    }

    [Theory]
    [InlineData("HTTP/1.0", "HTTP/1.0")]
    [InlineData("HTTP/2.0", "HTTP/2")]
    [InlineData("HTTP/3.0", "HTTP/3")]
    [InlineData("HTTP/7", "HTTP/7")]
    public async Task The_protocol_is_that_of_the_client_and_changes_nothing_here(string protocol, string expected)
    {
        await using var app = await StartAsync();
        using var client = await RawFastCgiClient.ConnectAsync(app.Port);
        for (var time = 0; time < 2; time++)
        {
            await client.SendAsync(RawFastCgiClient.Request(RawFastCgiClient.Variables("GET", "/say/x", ("SERVER_PROTOCOL", protocol))));
            Assert.StartsWith($"GET http {expected}\n", (await client.ReadAsync()).Text, StringComparison.Ordinal);
        }

        Assert.Equal(0, (await app.LeaveAsync()).ExitCode);
    }

    [Fact]
    public void A_host_that_is_missing_is_the_web_servers_name()
    {
        var map = new RequestMap();
        map.Read(RawFastCgiClient.Pairs(("REQUEST_METHOD", "GET"), ("SCRIPT_NAME", "/"), ("SERVER_NAME", "here"), ("SERVER_PORT", "8080")), 100, out _);
        Assert.Equal("here:8080", map.Headers.Host);
        map.Read(RawFastCgiClient.Pairs(("REQUEST_METHOD", "GET"), ("SCRIPT_NAME", "/"), ("SERVER_NAME", "here"), ("SERVER_PORT", "80")), 100, out _);
        Assert.Equal("here", map.Headers.Host);
    }

    [Fact]
    public async Task A_header_that_came_twice_has_both_values()
    {
        await using var app = await StartAsync();
        using var client = await RawFastCgiClient.ConnectAsync(app.Port);
        await client.SendAsync(RawFastCgiClient.Request(RawFastCgiClient.Variables("GET", "/say/x", ("HTTP_X", "1"), ("HTTP_X", "2"), ("REMOTE_USER", "me"), ("REMOTE_USER", "you"))));
        var text = (await client.ReadAsync()).Text;
        Assert.Contains("header X: 1,2", text, StringComparison.Ordinal);
        Assert.Contains("variable you", text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_body_that_ends_too_early_fails_its_reader_and_what_is_too_much_is_dropped()
    {
        await using var app = await StartAsync();
        using var client = await RawFastCgiClient.ConnectAsync(app.Port);
        await client.SendAsync(RawFastCgiClient.Request(RawFastCgiClient.Variables("POST", "/echo", ("CONTENT_LENGTH", "5")), body: "abcd"u8.ToArray()));
        var answer = await client.ReadAsync();
        Assert.Equal((400, 1), (answer.Status, answer.ApplicationStatus));
        Assert.Contains("ended after 4 of the 5 bytes", answer.Error, StringComparison.Ordinal);
        await client.SendAsync(RawFastCgiClient.Request(RawFastCgiClient.Variables("POST", "/echo", ("CONTENT_LENGTH", "3")), body: "abcd"u8.ToArray()));
        Assert.Equal("abc", (await client.ReadAsync()).Text);
        await client.SendAsync(RawFastCgiClient.Request(RawFastCgiClient.Variables("POST", "/echo"), body: "abcd"u8.ToArray()));
        Assert.Equal("abcd", (await client.ReadAsync()).Text);
    }

    [Fact]
    public async Task A_body_beyond_the_limit_is_answered_with_413_unless_the_endpoint_allows_it()
    {
        await using var app = await StartAsync(map: more => more.MapPost("/more", async (HttpContext context) =>
        {
            var limit = context.Features.GetRequiredFeature<IHttpMaxRequestBodySizeFeature>();
            Assert.Equal((30_000_000, false), (limit.MaxRequestBodySize, limit.IsReadOnly));
            limit.MaxRequestBodySize = 10;
            await context.Request.Body.CopyToAsync(context.Response.Body);
            Assert.True(limit.IsReadOnly);
        }));
        using var client = await RawFastCgiClient.ConnectAsync(app.Port);
        await client.SendAsync(RawFastCgiClient.Request(RawFastCgiClient.Variables("POST", "/more", ("CONTENT_LENGTH", "11")), body: new byte[11]));
        Assert.Equal(413, (await client.ReadAsync()).Status);
        await client.SendAsync(RawFastCgiClient.Request(RawFastCgiClient.Variables("POST", "/more"), body: new byte[11]));
        Assert.Equal(413, (await client.ReadAsync()).Status);
        await client.SendAsync(RawFastCgiClient.Request(RawFastCgiClient.Variables("POST", "/more", ("CONTENT_LENGTH", "10")), body: new byte[10]));
        Assert.Equal(10, (await client.ReadAsync()).Body.Length);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_feature_that_the_application_replaces_is_replaced_until_the_request_has_ended(bool byType)
    {
        var mine = new HttpRequestIdentifierFeature { TraceIdentifier = "mine" };
        await using var app = await StartAsync(map: more => more.MapGet("/replaced", (HttpContext context) =>
        {
            var features = context.Features;
            var own = features.GetRequiredFeature<IHttpRequestIdentifierFeature>();
            Assert.NotSame(mine, own);
            Assert.Null(features.Get<IDisposable>());
            if (byType)
            {
                features[typeof(IHttpRequestIdentifierFeature)] = mine;
            }
            else
            {
                features.Set<IHttpRequestIdentifierFeature>(mine);
            }

            Assert.Equal((mine, mine), (features.Get<IHttpRequestIdentifierFeature>(), features[typeof(IHttpRequestIdentifierFeature)]));
            Assert.Same(own, features.Get<IHttpRequestFeature>());
            return context.TraceIdentifier;
        }));
        using var client = await RawFastCgiClient.ConnectAsync(app.Port);
        Assert.Equal("mine", (await client.GetAsync("/replaced")).Text);
        Assert.Equal("mine", (await client.GetAsync("/replaced")).Text);
    }

    private static Task<TestApp> StartAsync(Action<WebApplication>? map = null) => Responses.StartAsync(map: app =>
    {
        app.MapMethods("/say/{**rest}", ["GET", "POST"], (Delegate)SayAsync);
        map?.Invoke(app);
    });

    private static async Task<string> SayAsync(HttpContext context)
    {
        var (request, connection) = (context.Request, context.Connection);
        using var body = new StreamReader(request.Body, Encoding.UTF8);
        return string.Join('\n', (string[])[
            $"{request.Method} {request.Scheme} {request.Protocol}", $"base {request.PathBase.Value}", $"path {request.Path.Value}", $"query {request.QueryString.Value}",
            $"target {context.Features.GetRequiredFeature<IHttpRequestFeature>().RawTarget}",
            string.Create(CultureInfo.InvariantCulture, $"remote {connection.RemoteIpAddress}:{connection.RemotePort}"),
            string.Create(CultureInfo.InvariantCulture, $"local {connection.LocalIpAddress}:{connection.LocalPort}"),
            $"length {request.ContentLength}", $"body {await body.ReadToEndAsync()}", $"variable {context.GetServerVariable("REMOTE_USER")}",
            .. request.Headers.OrderBy(header => header.Key, StringComparer.Ordinal).Select(header => $"header {header.Key}: {header.Value}")]);
    }
}
