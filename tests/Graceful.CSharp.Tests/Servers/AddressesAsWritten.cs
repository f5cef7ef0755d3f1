using System.Net;
using System.Net.Sockets;
using Graceful.Serving;
using Graceful.Tests.Support;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace Graceful.Tests.Servers;

public sealed class AddressesAsWritten : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("graceful");

    public void Dispose() => _folder.Delete(recursive: true);

    [Theory]
    [InlineData(":7000", "[::]:7000")]
    [InlineData("*:7000", "[::]:7000")]
    [InlineData(":http", "[::]:80")]
    [InlineData("0.0.0.0:https", "0.0.0.0:443")]
    [InlineData("127.0.0.1:0", "127.0.0.1:0")]
    [InlineData("[::1]:80", "[::1]:80")]
    [InlineData("[::]:65535", "[::]:65535")]
    [InlineData("localhost:80", "127.0.0.1:80")]
    [InlineData("LocalHost:0", "127.0.0.1:0")]
    [InlineData("unix:/run/x.sock", "/run/x.sock")]
    [InlineData("/run/x.sock", "/run/x.sock")]
    [InlineData("/run/a:80", "/run/a:80")]
    [InlineData("@name", "@name")]
    [InlineData("unix:@name", "@name")]
    [InlineData("fastcgi://127.0.0.1:9000", "127.0.0.1:9000")]
    [InlineData("FastCGI://:9000", "[::]:9000")]
    [InlineData("fastcgi::9000", "[::]:9000")]
    [InlineData("fastcgi:localhost:9000", "127.0.0.1:9000")]
    [InlineData("fastcgi:/run/x.sock", "/run/x.sock")]
    [InlineData("fastcgi:///run/x.sock", "/run/x.sock")]
    [InlineData("fastcgi:@name", "@name")]
    [InlineData("fastcgi:unix:/run/x.sock", "/run/x.sock")]
    public async Task One_is_understood(string written, string listens)
    {
        Assert.Equal(written, new GracefulServer(written, Serving.Ok).Address);
        Assert.Equal(listens, await EndPointOf(written));
    }

    [Theory]
    [InlineData("./x.sock", "x.sock")]
    [InlineData("unix:x.sock", "x.sock")]
    [InlineData("../x.sock", "../x.sock")]
    public async Task A_relative_path_is_taken_from_where_the_process_is(string written, string path) =>
        Assert.Equal(Path.GetFullPath(path), await EndPointOf(written));

    [Fact]
    public async Task A_name_is_looked_up()
    {
        var name = Dns.GetHostName();
        var addresses = await Dns.GetHostAddressesAsync(name);
        var first = Array.Find(addresses, address => address.AddressFamily == AddressFamily.InterNetwork) ?? addresses[0];
        Assert.Equal(new IPEndPoint(first, 7000).ToString(), await EndPointOf($"{name}:7000"));
    }

    [Theory]
    [InlineData("", "has no port")]
    [InlineData("7000", "has no port")]
    [InlineData("localhost", "has no port")]
    [InlineData("[::1]", "has no port")]
    [InlineData(":", "has the port ''")]
    [InlineData(":65536", "has the port '65536'")]
    [InlineData(":-1", "has the port '-1'")]
    [InlineData(":+80", "has the port '+80'")]
    [InlineData(": 80", "has the port ' 80'")]
    [InlineData(":ssh", "has the port 'ssh'")]
    [InlineData("::1:80", "has too many colons; an IPv6 address is written in brackets")]
    [InlineData("[127.0.0.1]:80", "has '127.0.0.1' in brackets, which is no IPv6 address")]
    [InlineData("256.0.0.1:80", "has the host '256.0.0.1', which is neither an IP address nor a name")]
    [InlineData("127.1:80", "has the host '127.1'")]
    [InlineData("my host:80", "has the host 'my host'")]
    [InlineData("http://127.0.0.1:80", "is a URL")]
    [InlineData("unix:", "has no path")]
    [InlineData("/", "has no port")]
    [InlineData("fastcgi:9000", "may be a port for FastCGI, 'fastcgi://:9000', or HTTP at a host of that name, 'fastcgi.:9000'")]
    [InlineData("fastcgi:http", "may be a port for FastCGI, 'fastcgi://:http', or HTTP")]
    [InlineData("fastcgi:", "has no port")]
    [InlineData("fastcgi://", "has no port")]
    [InlineData("fastcgi://localhost", "has no port")]
    [InlineData("fastcgi:http://localhost:80", "is a URL")]
    [InlineData("unix://run/x.sock", "is a URL")]
    [InlineData("unix:/run/\0x", "is no path of a socket")]
    public void One_that_is_wrong_is_refused_at_once_with_what_is_allowed(string written, string what)
    {
        FormatException[] errors =
        [
            Assert.Throws<FormatException>(() => new GracefulServer(written, Serving.Ok)),
            Assert.Throws<FormatException>(() => new GracefulServer { Address = written }),
            Assert.Throws<FormatException>(() => { _ = GracefulServer.ListenAndServeAsync(written, Serving.Ok); }),
        ];
        Assert.All(errors, e =>
        {
            Assert.StartsWith($"The address '{written}' {what}", e.Message, StringComparison.Ordinal);
            Assert.Contains("allowed are ':7000' for all interfaces, '127.0.0.1:7000'", e.Message, StringComparison.Ordinal);
        });
    }

    [Fact]
    public void A_path_that_is_too_long_for_the_system_is_refused_at_once()
    {
        var e = Assert.Throws<FormatException>(() => new GracefulServer { Address = "/" + new string('x', 200) });
        Assert.Contains("is no path of a socket", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void None_is_refused_at_once()
    {
        Assert.Throws<ArgumentNullException>(() => new GracefulServer(null!, Serving.Ok));
        Assert.Throws<ArgumentNullException>(() => new GracefulServer(Serving.Loopback, null!));
        Assert.Throws<ArgumentNullException>(() => new GracefulServer { Address = null! });
        Assert.Contains(
            "Address is not set",
            Assert.Throws<InvalidOperationException>(() => { _ = new GracefulServer { Handler = Serving.Ok }.ListenAndServeAsync(); }).Message,
            StringComparison.Ordinal);
        Assert.Contains(
            "Handler is not set",
            Assert.Throws<InvalidOperationException>(() => { _ = new GracefulServer { Address = Serving.Loopback }.ListenAndServeAsync(); }).Message,
            StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_name_that_nobody_knows_is_an_error_that_names_it()
    {
        var e = await Assert.ThrowsAsync<IOException>(() => new GracefulServer("no-such-host.invalid:0", Serving.Ok).ListenAndServeAsync().Soon());
        Assert.Contains("'no-such-host.invalid' is not known here", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_port_that_was_free_is_said()
    {
        await using var six = await Serving.StartAsync(address: "[::1]:0");
        Assert.Matches(@"^http://\[::1\]:[1-9]\d*$", Assert.Single(six.Server.Addresses));
        using var client = await RawClient.ConnectAsync(new IPEndPoint(IPAddress.IPv6Loopback, six.Port));
        Assert.Equal(200, (await client.GetAsync("/")).Status);

        await using var local = await Serving.StartAsync(address: "localhost:0");
        Assert.Matches(@"^http://127\.0\.0\.1:[1-9]\d*$", Assert.Single(local.Server.Addresses));
    }

    [Fact]
    public async Task Localhost_is_both_loopback_addresses()
    {
        var port = await FreePortAsync();
        await using var serving = await Serving.StartAsync(address: $"localhost:{port}");
        foreach (var loopback in (IPAddress[])[IPAddress.Loopback, IPAddress.IPv6Loopback])
        {
            using var client = await RawClient.ConnectAsync(new IPEndPoint(loopback, port));
            Assert.Equal(200, (await client.GetAsync("/")).Status);
        }

        Assert.Equal(2, (await serving.CloseAsync()).Listeners.Count);
    }

    [Theory]
    [InlineData("unix:/run/x.sock", false)]
    [InlineData("@name", false)]
    [InlineData("fastcgi.:9000", false)]
    [InlineData("/run/x.sock", true)]
    [InlineData("./x.sock", true)]
    [InlineData("../x.sock", true)]
    [InlineData("fastcgi:@name", true)]
    [InlineData("fastcgi://:9000", true)]
    public void A_path_and_what_says_so_is_FastCGI(string written, bool isFastCgi) => Assert.Equal(isFastCgi, ListenAddress.Parse(written).IsFastCgi);

    [Fact]
    public async Task A_Unix_socket_is_there_while_it_serves()
    {
        var path = Path.Combine(_folder.FullName, "socket");
        await using var serving = await Serving.StartAsync(address: "unix:" + path);
        Assert.Equal($"http://unix:{path}", Assert.Single(serving.Server.Addresses));
        using var client = await RawClient.ConnectAsync(new UnixDomainSocketEndPoint(path));
        Assert.Equal(200, (await client.GetAsync("/")).Status);
        Assert.Equal(0, (await serving.CloseAsync()).ExitCode);
        Assert.False(File.Exists(path));
    }

    [Fact]
    public async Task An_abstract_socket_has_no_file()
    {
        var name = $"graceful-{Guid.NewGuid()}";
        await using var serving = await Serving.StartAsync(address: $"@{name}");
        using var client = await RawClient.ConnectAsync(new UnixDomainSocketEndPoint("\0" + name));
        Assert.Equal(200, (await client.GetAsync("/")).Status);
        Assert.Equal(0, (await serving.CloseAsync()).ExitCode);
        await Assert.ThrowsAnyAsync<SocketException>(() => RawClient.ConnectAsync(new UnixDomainSocketEndPoint("\0" + name)));
    }

    private static async Task<int> FreePortAsync()
    {
        await using var probe = await Serving.StartAsync();
        var port = probe.Port;
        await probe.CloseAsync();
        return port;
    }

    private static async Task<string?> EndPointOf(string written)
    {
        EndPoint? endpoint = null;
        (await ListenAddress.Parse(written).BindingAsync(listen => endpoint = listen.EndPoint))(new KestrelServerOptions());
        return endpoint?.ToString();
    }
}
