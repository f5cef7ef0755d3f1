using Graceful.Tests.Processes;
using Graceful.Tests.Servers;
using Graceful.Tests.Support;

namespace Graceful.Tests.Activation;

/// <summary>Servers that the real systemd-socket-activate starts with sockets that listen.</summary>
public sealed class GivenListeners : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("graceful");

    private string this[string name] => Path.Combine(_folder.FullName, name);

    public void Dispose() => _folder.Delete(recursive: true);

    [Theory]
    [InlineData("127.0.0.1:0")]
    [InlineData("[::1]:0")]
    [InlineData("a file")]
    [InlineData("@")]
    public async Task The_first_client_starts_the_server_and_is_served(string listen)
    {
        var address = listen switch { "a file" => this["socket"], "@" => $"@graceful-{Guid.NewGuid()}", _ => listen };
        using var activated = await SocketActivate.StartAsync([address], SocketActivate.Sample());
        using (var client = await activated.ConnectAsync())
        {
            Assert.Equal("ok", (await client.GetAsync("/")).Text);
        }

        Assert.Equal(0, await activated.LeaveAsync());
        Assert.Contains("accepting stopped, 0 accepted in the last call", activated.Process.Output, StringComparison.Ordinal);
        Assert.DoesNotContain("localhost:5000", activated.Process.Output, StringComparison.Ordinal);
        var url = address[0] is '/' or '@' ? $"http://unix:{address}" : $"http://{activated.Addresses[0]}";
        Assert.Contains($"Graceful[50]\n      127.0.0.1:5000 is served from unknown ({url["http://".Length..].Replace("unix:", "", StringComparison.Ordinal)})", activated.Process.Output, StringComparison.Ordinal);
        Assert.Equal(address[0] == '/', File.Exists(address));
    }

    [Fact]
    public async Task One_endpoint_serves_all_sockets()
    {
        using var activated = await SocketActivate.StartAsync(["127.0.0.1:0", this["socket"], "[::1]:0"], SocketActivate.Sample());
        for (var index = 2; index >= 0; index--)
        {
            using var client = await activated.ConnectAsync(index);
            Assert.Equal("ok", (await client.GetAsync("/")).Text);
        }

        Assert.Equal(0, await activated.LeaveAsync());
    }

    [Fact]
    public async Task A_name_finds_its_endpoint_with_its_TLS_whatever_the_order()
    {
        using var certificate = await PemPair.WriteAsync(this["certificate"], this["key"]);
        string[] endpoints =
        [
            "--Kestrel:Endpoints:web:Url=http://127.0.0.1:1", "--Kestrel:Endpoints:Safe:Url=https://localhost:2",
            $"--Kestrel:Endpoints:safe:Certificate:Path={this["certificate"]}", $"--Kestrel:Endpoints:safe:Certificate:KeyPath={this["key"]}",
        ];
        using var activated = await SocketActivate.StartAsync(
            ["127.0.0.1:0", "127.0.0.1:0", this["socket"]], SocketActivate.Sample(endpoints), "--fdname=safe:web:safe");
        foreach (var index in new[] { 0, 2 })
        {
            using var client = await (await activated.ConnectAsync(index)).WithTlsAsync(certificate);
            Assert.Equal("ok", (await client.GetAsync("/")).Text);
        }

        using (var plain = await activated.ConnectAsync(1))
        {
            Assert.Equal("ok", (await plain.GetAsync("/")).Text);
        }

        Assert.Equal(0, await activated.LeaveAsync());
    }

    [Fact]
    public async Task What_does_not_fit_fails_the_start_and_says_why()
    {
        using var activated = await SocketActivate.StartAsync(
            ["127.0.0.1:0"], SocketActivate.Sample("--Kestrel:Endpoints:web:Url=http://127.0.0.1:0", "--Kestrel:Endpoints:admin:Url=http://127.0.0.1:1"));
        using var client = await activated.ConnectAsync();
        Assert.NotEqual(0, await activated.Process.ExitAsync());
        Assert.Contains("No socket is left for the endpoint 127.0.0.1:", activated.Process.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Children_have_neither_the_sockets_nor_the_variables()
    {
        using var activated = await SocketActivate.StartAsync(["127.0.0.1:0"], SocketActivate.Kind("activated"), "--fdname=web", "--setenv=LISTEN_PIDFDID=1");
        using var client = await activated.ConnectAsync();
        var seen = (await client.GetAsync("/child")).Text;
        Assert.Contains("PATH=", seen, StringComparison.Ordinal);
        Assert.DoesNotContain("LISTEN_", seen, StringComparison.Ordinal);
        Assert.DoesNotContain("socket:", seen, StringComparison.Ordinal);
        Assert.Equal("PATH", (await client.GetAsync("/native")).Text);
        Assert.Equal(0, await activated.LeaveAsync());
    }

    [Theory]
    [InlineData("LISTEN_PID=$$ LISTEN_FDS=1", "the descriptor 3 was not given to this process")]
    [InlineData("LISTEN_PID=$$ LISTEN_FDS=40", "the descriptor 3 was not given to this process")]
    [InlineData("LISTEN_PID=$$ LISTEN_FDS=one", "LISTEN_FDS is 'one'; allowed is a number of sockets from 0")]
    [InlineData("LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES=a:b", "LISTEN_FDNAMES is 'a:b', 2 names, but LISTEN_FDS is 1")]
    [InlineData("LISTEN_PID=me LISTEN_FDS=1", "LISTEN_PID is 'me'; allowed is the number of a process")]
    public async Task A_wrong_environment_fails_the_start_and_says_why(string environment, string why)
    {
        using var child = Child.StartProgram("sh", "-c", $"{environment} exec \"$@\"", "sh", "dotnet", Path.Combine(AppContext.BaseDirectory, "Activated.dll"));
        Assert.NotEqual(0, await child.ExitAsync());
        Assert.Contains(why, child.Output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("LISTEN_PID=1 LISTEN_FDS=1")]
    [InlineData("LISTEN_FDS=1")]
    [InlineData("LISTEN_PID=$$")]
    [InlineData("LISTEN_PID=$$ LISTEN_FDS=0")]
    public async Task What_is_for_somebody_else_or_nothing_leaves_the_endpoints_as_they_are_configured(string environment)
    {
        using var child = Child.StartProgram(
            "sh", "-c", $"{environment} exec \"$@\"", "sh", "dotnet", Path.Combine(AppContext.BaseDirectory, "Activated.dll"), "--urls=http://127.0.0.1:0");
        await child.Wrote("Application started");
        Assert.Contains("Now listening on: http://127.0.0.1:", child.Output, StringComparison.Ordinal);
        child.Kill(Signal.Terminate);
        Assert.Equal(0, await child.ExitAsync());
    }

    [Fact]
    public async Task Who_waits_in_the_queue_at_the_stop_is_served_by_the_next_start()
    {
        using var socket = new Graceful.Doorkeeper.SharedSocket();
        using var first = new Started(socket, SocketActivate.Sample());
        using var client = await RawClient.ConnectAsync(socket.EndPoint);
        Assert.Equal("ok", (await client.GetAsync("/")).Text);
        await client.SendGetAsync("/slow?ms=600");
        first.Terminate();
        await first.Says("Leaving: SIGTERM");

        // The server still works on the slow request. Who comes before it has closed its intake is served by it, the others wait.
        List<RawClient> newcomers = [];
        while (!client.HasNews && newcomers.Count < 100)
        {
            var newcomer = await RawClient.ConnectAsync(socket.EndPoint);
            await newcomer.SendGetAsync("/");
            newcomers.Add(newcomer);
            await Task.Delay(10);
        }

        Assert.True((await client.ReadAsync()).IsTold);
        Assert.Equal(0, await first.ExitAsync());
        Assert.Contains(newcomers, newcomer => !newcomer.HasNews);
        using var second = new Started(socket, SocketActivate.Sample());
        foreach (var newcomer in newcomers)
        {
            Assert.Equal("ok", (await newcomer.ReadAsync()).Text);
            newcomer.Dispose();
        }

        second.Terminate();
        Assert.Equal(0, await second.ExitAsync());
    }
}
