using System.Globalization;
using System.Net;
using Graceful.Tests.Servers;
using Graceful.Tests.Support;

namespace Graceful.Tests.FastCgi.Outside;

/// <summary>The application behind real web servers: nginx that keeps its connections and nginx that does not, and lighttpd.</summary>
public sealed class WebServers
{
    public static TheoryData<string> All => ["nginx", "nginx that keeps", "lighttpd"];

    [Theory]
    [MemberData(nameof(All))]
    public async Task Requests_are_answered_one_after_the_other_and_at_the_same_time(string kind)
    {
        await using var served = await Served.StartAsync();
        using var front = await StartAsync(kind, served);
        for (var time = 0; time < 20; time++)
        {
            Assert.Equal("ok", await front.Client.GetStringAsync("/"));
        }

        var answers = await Task.WhenAll(Enumerable.Range(0, 32).Select(async number =>
        {
            using var response = await front.Client.PostAsync("/echo", new StringContent($"hello {number}"));
            return await response.Content.ReadAsStringAsync();
        })).Soon();
        Assert.Equal(Enumerable.Range(0, 32).Select(number => $"hello {number}"), answers);
        Assert.DoesNotContain("upstream", front.Errors, StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(All))]
    public async Task Statuses_and_failures_come_through(string kind)
    {
        await using var served = await Served.StartAsync();
        using var front = await StartAsync(kind, served);
        using var missing = await front.Client.DeleteAsync("/nothing/here");
        Assert.Equal(HttpStatusCode.MethodNotAllowed, missing.StatusCode);
        using var nothing = await front.Client.PostAsync("/door", null);
        Assert.Equal(HttpStatusCode.MethodNotAllowed, nothing.StatusCode);
        using var failed = await front.Client.GetAsync("/throw");
        Assert.Equal(HttpStatusCode.InternalServerError, failed.StatusCode);
        // What went wrong is in the web server's log.
        await Limits.Until(() => front.Errors.Contains("InvalidOperationException: as planned", StringComparison.Ordinal), "the failure is in the log");
        using var head = await front.Client.SendAsync(new HttpRequestMessage(HttpMethod.Head, "/pattern?mib=1"));
        Assert.Equal(HttpStatusCode.MethodNotAllowed, head.StatusCode);
        Assert.Equal("ok", await front.Client.GetStringAsync("/"));
    }

    [Theory]
    [InlineData("nginx", "")]
    [InlineData("nginx that keeps", "/unbuffered")]
    [InlineData("lighttpd", "")]
    public async Task Much_goes_up_and_comes_down_whole(string kind, string place)
    {
        const int Mib = 24;
        await using var served = await Served.StartAsync();
        using var front = await StartAsync(kind, served);
        using var up = await front.Client.PostAsync(place == "" ? "/sum" : place + "/upload", new StreamContent(Pattern.Of(Mib))).Soon();
        Assert.Equal($"{Mib << 20} {Pattern.Sum(Mib)}", await up.Content.ReadAsStringAsync());
        var down = await front.Client.GetByteArrayAsync($"{place}/pattern?mib={Mib}").Soon();
        Assert.Equal((Mib << 20, Pattern.Sum(Mib)), (down.Length, down.Sum(b => (long)b)));
        if (kind == "lighttpd")
        {
            // It passes a body of unknown length on to nobody, but answers with 411.
            return;
        }

        // Of unknown length, which the web server sends in pieces or keeps until its end.
        using var pieces = new HttpRequestMessage(HttpMethod.Post, place == "" ? "/sum" : place + "/upload") { Content = new StreamContent(Pattern.Of(2)) };
        pieces.Headers.TransferEncodingChunked = true;
        using var answer = await front.Client.SendAsync(pieces).Soon();
        Assert.Equal($"{2 << 20} {Pattern.Sum(2)}", await answer.Content.ReadAsStringAsync());
    }

    [Theory]
    [MemberData(nameof(All))]
    public async Task A_client_that_leaves_aborts_its_request(string kind)
    {
        await using var served = await Served.StartAsync();
        using var front = await StartAsync(kind, served);
        using (var client = await RawClient.ConnectAsync(front.Port))
        {
            // Once lighttpd has answered who came later, it listens to this client. One whose whole request is there at its first look it does not listen
            // to before the answer begins.
            Assert.Equal("ok", await front.Client.GetStringAsync("/"));
            await client.SendAsync("GET /abandoned HTTP/1.1\r\nHost: localhost\r\n\r\n");
            await Limits.Until(() => served.IsAsked, "the request is in the application");
        }

        await served.Aborted.Soon("The abort");
        Assert.Equal("ok", await front.Client.GetStringAsync("/"));
    }

    [Theory]
    [InlineData("nginx", "/unbuffered")]
    [InlineData("nginx that keeps", "/unbuffered")]
    [InlineData("lighttpd", "")]
    public async Task A_client_that_leaves_within_its_body_aborts_its_request(string kind, string place)
    {
        await using var served = await Served.StartAsync();
        using var front = await StartAsync(kind, served);
        using (var client = await RawClient.ConnectAsync(front.Port))
        {
            await client.SendAsync($"POST {place}/abandoned HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nsome");
            await Limits.Until(() => served.IsAsked, "the request is in the application");
        }

        await served.Aborted.Soon("The abort");
        Assert.Equal("ok", await front.Client.GetStringAsync("/"));
    }

    [Fact]
    public async Task What_nginx_says_of_a_request_is_what_the_application_sees()
    {
        await using var served = await Served.StartAsync();
        using var front = await Front.NginxAsync(served.Folder, [served.Socket], keep: true);
        using var request = new HttpRequestMessage(HttpMethod.Put, "/a%20b/c?d=e%2Ff") { Content = new StringContent("x") };
        request.Headers.Add("X-Odd", "one, two");
        using var answer = await front.Client.SendAsync(request);
        Assert.Equal("PUT http 127.0.0.1 [][/a b/c][?d=e%2Ff] 127.0.0.1 one, two", await answer.Content.ReadAsStringAsync());
        // fastcgi_split_path_info.
        Assert.Equal("GET http 127.0.0.1 [/place][/in/it][] 127.0.0.1 ", await front.Client.GetStringAsync("/place/in/it"));
    }

    [Fact]
    public async Task What_lighttpd_says_of_a_request_is_what_the_application_sees()
    {
        await using var served = await Served.StartAsync();
        using var front = await Front.LighttpdAsync(served.Folder, served.Socket);
        using var request = new HttpRequestMessage(HttpMethod.Put, "/a%20b/c?d=e%2Ff") { Content = new StringContent("x") };
        request.Headers.Add("X-Odd", "one, two");
        using var answer = await front.Client.SendAsync(request);
        Assert.Equal(
            string.Create(CultureInfo.InvariantCulture, $"PUT http 127.0.0.1:{front.Port} [][/a b/c][?d=e%2Ff] 127.0.0.1 one, two"),
            await answer.Content.ReadAsStringAsync());
    }

    [Fact]
    public async Task Behind_HTTPS_the_application_sees_HTTPS()
    {
        await using var served = await Served.StartAsync();
        var pair = (Path.Combine(served.Folder, "certificate.pem"), Path.Combine(served.Folder, "key.pem"));
        using var certificate = await PemPair.WriteAsync(pair.Item1, pair.Item2);
        using var front = await Front.NginxAsync(served.Folder, [served.Socket], keep: true, pair);
        using var client = await RawClient.ConnectAsync(front.Port);
        await client.WithTlsAsync(certificate);
        var answer = await client.GetAsync("/secure");
        Assert.Equal((200, true), (answer.Status, answer.Text.StartsWith("GET https ", StringComparison.Ordinal)));
    }

    private static Task<Front> StartAsync(string kind, Served served) => kind == "lighttpd"
        ? Front.LighttpdAsync(served.Folder, served.Socket)
        : Front.NginxAsync(served.Folder, [served.Socket], keep: kind != "nginx");
}
