using Graceful.Tests.Servers;
using Graceful.Tests.Support;

namespace Graceful.Tests.Activation;

/// <summary>Servers that the real systemd-socket-activate starts for one connection each, as inetd and Accept=yes do.</summary>
public sealed class AcceptedConnections : IDisposable
{
    private static readonly string[] Loopback = ["127.0.0.1:0"];

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("graceful");

    private string this[string name] => Path.Combine(_folder.FullName, name);

    public void Dispose() => _folder.Delete(recursive: true);

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Requests_are_served_until_the_client_goes_and_the_server_goes_with_it(bool inetd)
    {
        using var activated = await StartAsync(inetd, SocketActivate.Sample("--accepted"));
        using (var client = await activated.ConnectAsync())
        {
            for (var request = 0; request < 3; request++)
            {
                var response = await client.GetAsync("/");
                Assert.Equal("ok", response.Text);
                Assert.False(response.IsTold);
            }
        }

        await EndsInOrder(activated);
        Assert.DoesNotContain(":5000", activated.Process.Output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Without_keep_alive_the_first_response_is_the_last(bool inetd)
    {
        using var activated = await StartAsync(inetd, SocketActivate.Sample("--accepted", "--close"));
        using var client = await activated.ConnectAsync();
        Assert.True((await client.GetAsync("/")).IsTold);
        Assert.Equal(Ending.Fin, await client.EndAsync());
        await EndsInOrder(activated);
    }

    [Fact]
    public async Task Several_connections_have_a_server_each()
    {
        using var activated = await StartAsync(inetd: true, SocketActivate.Sample("--accepted"));
        using var first = await activated.ConnectAsync();
        using var second = await activated.ConnectAsync();
        Assert.Equal("ok", (await second.GetAsync("/")).Text);
        Assert.Equal("ok", (await first.GetAsync("/")).Text);
        first.Dispose();
        second.Dispose();
        await Limits.Until(() => activated.Process.Output.Split("died with code 0").Length == 3, "both servers end");
    }

    [Theory]
    [InlineData("activated-accepted")]
    [InlineData("activated-accepted-late")]
    public async Task Nothing_reaches_the_client_that_is_not_meant_for_it_also_when_the_console_was_opened_before(string kind)
    {
        using var activated = await StartAsync(inetd: true, SocketActivate.Kind(kind));
        using var client = await activated.ConnectAsync();
        await client.SendAsync("GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        var response = await client.ReadAsync();
        Assert.Equal("ok", response.Text);
        Assert.Equal(Ending.Fin, await client.EndAsync());

        // What would have reached it is found elsewhere.
        await EndsInOrder(activated);
    }

    [Fact]
    public async Task A_client_that_resets_at_once_ends_the_server_in_order()
    {
        using var activated = await StartAsync(inetd: true, SocketActivate.Sample("--accepted"));
        using var client = await activated.ConnectAsync();
        client.Reset();
        await EndsInOrder(activated);
    }

    [Fact]
    public async Task A_client_that_says_nothing_and_goes_ends_the_server_in_order()
    {
        using var activated = await StartAsync(inetd: false, SocketActivate.Sample("--accepted"));
        (await activated.ConnectAsync()).Dispose();
        await EndsInOrder(activated);
    }

    [Fact]
    public async Task A_request_that_is_none_ends_the_server_in_order()
    {
        using var activated = await StartAsync(inetd: true, SocketActivate.Sample("--accepted"));
        using var client = await activated.ConnectAsync();
        await client.SendAsync("NONSENSE\r\n\r\n");
        Assert.Equal(400, (await client.ReadAsync()).Status);
        Assert.Equal(Ending.Fin, await client.EndAsync());
        await EndsInOrder(activated);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task TLS_is_as_its_endpoint_is_configured_and_a_handshake_that_fails_ends_the_server_in_order_too(bool succeeds)
    {
        using var certificate = await PemPair.WriteAsync(this["certificate"], this["key"]);
        using var activated = await StartAsync(inetd: true, SocketActivate.Sample(
            "--accepted", "--Kestrel:Endpoints:Safe:Url=https://localhost:2",
            $"--Kestrel:Endpoints:Safe:Certificate:Path={this["certificate"]}", $"--Kestrel:Endpoints:Safe:Certificate:KeyPath={this["key"]}"));
        using (var client = await activated.ConnectAsync())
        {
            if (succeeds)
            {
                Assert.Equal("ok", (await (await client.WithTlsAsync(certificate)).GetAsync("/")).Text);
            }
            else
            {
                await client.SendAsync("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
                await client.ReadToEndAsync();
            }
        }

        await EndsInOrder(activated);
    }

    [Fact]
    public async Task A_socket_that_listens_is_no_connection()
    {
        using var activated = await SocketActivate.StartAsync(Loopback, SocketActivate.Sample("--accepted"));
        using var client = await activated.ConnectAsync();
        Assert.NotEqual(0, await activated.Process.ExitAsync());
        Assert.Contains("This process was given sockets that listen: unknown (127.0.0.1:", activated.Process.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_connection_is_no_socket_that_listens()
    {
        using var activated = await StartAsync(inetd: false, SocketActivate.Sample());
        using var client = await activated.ConnectAsync();
        await activated.Process.Wrote("died with code");
        Assert.DoesNotContain("died with code 0", activated.Process.Output, StringComparison.Ordinal);
        Assert.Contains("given one connection that is accepted already (Accept=yes); allowed are", activated.Process.Output, StringComparison.Ordinal);
        Assert.Contains("UseAcceptedConnection", activated.Process.Output, StringComparison.Ordinal);
    }

    private static Task<SocketActivate> StartAsync(bool inetd, string[] server) =>
        SocketActivate.StartAsync(Loopback, server, inetd ? ["--accept", "--inetd"] : ["--accept"]);

    private static async Task EndsInOrder(SocketActivate activated)
    {
        await activated.Process.Wrote("died with code");
        Assert.Contains("died with code 0", activated.Process.Output, StringComparison.Ordinal);
        await activated.Process.Wrote("Left after end of the served connection");
    }
}
