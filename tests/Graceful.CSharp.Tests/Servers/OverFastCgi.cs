using System.Net.Sockets;
using Graceful.Tests.Support;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace Graceful.Tests.Servers;

public sealed class OverFastCgi : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("graceful");

    private string Path => System.IO.Path.Combine(_folder.FullName, "socket");

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public async Task A_path_is_a_Unix_socket_that_speaks_FastCGI_and_one_that_was_left_behind_is_replaced()
    {
        using (var stale = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified))
        {
            stale.Bind(new UnixDomainSocketEndPoint(Path));
        }

        await using var serving = await Serving.StartAsync(address: Path);
        Assert.Equal($"fastcgi://unix:{Path}", Assert.Single(serving.Server.Addresses));
        using var client = await RawFastCgiClient.ConnectAsync(new UnixDomainSocketEndPoint(Path));
        Assert.Equal("ok", (await client.GetAsync("/")).Text);
        Assert.Equal(0, (await serving.CloseAsync()).ExitCode);
        Assert.Equal(Ending.Fin, await client.EndAsync());
        Assert.False(File.Exists(Path));
    }

    [Theory]
    [InlineData("fastcgi://127.0.0.1:0")]
    [InlineData("fastcgi:localhost:0")]
    public async Task On_TCP_it_is_asked_for(string address)
    {
        await using var serving = await Serving.StartAsync(address: address);
        Assert.Matches(@"^fastcgi://127\.0\.0\.1:[1-9]\d*$", Assert.Single(serving.Server.Addresses));
        using var client = await RawFastCgiClient.ConnectAsync(serving.Port);
        Assert.Equal("ok", (await client.GetAsync("/")).Text);
        Assert.Equal(0, (await serving.CloseAsync()).ExitCode);
    }

    [Fact]
    public async Task FastCGI_and_HTTP_are_served_beside_each_other()
    {
        await using var serving = await Serving.StartAsync(with: server => server.ConfigureKestrel(kestrel => kestrel.ListenUnixSocket(Path, endpoint => endpoint.UseFastCgi())));
        Assert.Equal($"fastcgi://unix:{Path}", serving.Server.Addresses[1]);
        using var web = await RawFastCgiClient.ConnectAsync(new UnixDomainSocketEndPoint(Path));
        Assert.Equal("ok", (await web.GetAsync("/")).Text);
        using var client = await RawClient.ConnectAsync(serving.Port);
        Assert.Equal(200, (await client.GetAsync("/")).Status);
        Assert.Equal(0, (await serving.CloseAsync()).ExitCode);
    }

    [Fact]
    public void With_TLS_it_is_refused_at_once()
    {
        var server = new GracefulServer("/run/no.sock", Serving.Ok) { Tls = _ => { } };
        var e = Assert.Throws<InvalidOperationException>(() => { _ = server.ListenAndServeAsync(); });
        Assert.Contains("At '/run/no.sock' FastCGI is spoken, which has no TLS; allowed is an address of HTTP", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Without_Graceful_an_endpoint_fails_the_start_and_says_what_to_call()
    {
        var e = await Assert.ThrowsAsync<InvalidOperationException>(() => TestApp.StartAsync(listen: endpoint => endpoint.UseFastCgi(), plain: true));
        Assert.Contains("builder.AddGraceful()", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_Kestrel_that_came_after_Graceful_fails_the_start_and_says_what_to_call()
    {
        var host = Host.CreateDefaultBuilder()
            .ConfigureServices(services => services.AddGraceful(graceful => graceful.OwnsProcess = false))
            .ConfigureWebHost(web => web
                .UseKestrel(kestrel => kestrel.ListenUnixSocket(Path, endpoint => endpoint.UseFastCgi()))
                .Configure(app => app.Run(Serving.Ok)))
            .Build();
        try
        {
            var e = await Assert.ThrowsAsync<InvalidOperationException>(() => host.StartAsync().Soon("The start"));
            Assert.Contains("call UseKestrel before AddGraceful", e.Message, StringComparison.Ordinal);
        }
        finally
        {
            await ((IAsyncDisposable)host).DisposeAsync();
        }
    }
}
