using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using Graceful.Tests.Support;

namespace Graceful.Tests.Servers;

/// <summary>What can't be listened on, and that nothing is left of the attempt.</summary>
public sealed class Errors : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("graceful");

    private string SocketPath => Path.Combine(_folder.FullName, "socket");

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public async Task An_address_in_use_is_an_error_and_when_it_is_free_the_same_server_gets_it()
    {
        await using var first = await Serving.StartAsync();
        await using var server = new GracefulServer($"127.0.0.1:{first.Port}", Serving.Ok);
        var e = await Assert.ThrowsAsync<IOException>(() => server.ListenAndServeAsync().Soon());
        Assert.Contains($"127.0.0.1:{first.Port}: address already in use", e.Message, StringComparison.Ordinal);
        Assert.Same(e, await Assert.ThrowsAsync<IOException>(() => server.Started));
        Assert.False(server.Close());
        await first.CloseAsync();
        await (await Serving.StartAsync(server)).CloseAsync();
    }

    [Fact]
    public async Task One_of_two_endpoints_in_use_leaves_the_other_one_free()
    {
        await using var first = await Serving.StartAsync();
        using var free = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        free.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        var port = ((IPEndPoint)free.LocalEndPoint!).Port;
        free.Dispose();
        await using var server = new GracefulServer($"127.0.0.1:{port}", Serving.Ok)
            .ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, first.Port));
        await Assert.ThrowsAsync<IOException>(() => server.ListenAndServeAsync().Soon());
        await Assert.ThrowsAnyAsync<SocketException>(() => RawClient.ConnectAsync(port));
    }

    [Fact]
    public async Task An_address_that_is_not_ours_is_an_error_that_names_it()
    {
        var e = await Assert.ThrowsAsync<IOException>(() => new GracefulServer("192.0.2.1:7000", Serving.Ok).ListenAndServeAsync().Soon());
        Assert.StartsWith("Can't listen on '192.0.2.1:7000': ", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_certificate_or_key_that_is_missing_or_wrong_is_an_error_at_once()
    {
        var (certificate, key, other, empty) = (InFolder("cert.pem"), InFolder("key.pem"), InFolder("other.pem"), InFolder("empty.pem"));
        await PemPair.WriteAsync(certificate, key);
        await PemPair.WriteAsync(InFolder("other-cert.pem"), other);
        await File.WriteAllTextAsync(empty, "");
        await using var server = new GracefulServer(Serving.Loopback, Serving.Ok);
        Throws<FileNotFoundException>(InFolder("no.pem"), key, "no.pem");
        Throws<FileNotFoundException>(certificate, InFolder("no.pem"), "no.pem");
        Throws<CryptographicException>(empty, key, $"The certificate '{empty}' and the key '{key}' can't be used");
        Throws<CryptographicException>(certificate, empty, $"The certificate '{certificate}' and the key '{empty}' can't be used");
        Throws<CryptographicException>(certificate, other, "Allowed are a certificate in PEM");
        Throws<ArgumentException>("", key, "certificatePath");
        Throws<ArgumentException>(certificate, "", "keyPath");
        Assert.Empty(server.Addresses);
        var serving = await Serving.StartAsync(server, server.ListenAndServeTlsAsync(certificate, key));
        await serving.CloseAsync();

        string InFolder(string name) => Path.Combine(_folder.FullName, name);

        void Throws<T>(string certificatePath, string keyPath, string text)
            where T : Exception
        {
            Assert.Contains(text, Assert.Throws<T>(() => { _ = server.ListenAndServeTlsAsync(certificatePath, keyPath); }).Message, StringComparison.Ordinal);
            Assert.Throws<T>(() => { _ = GracefulServer.ListenAndServeTlsAsync(Serving.Loopback, certificatePath, keyPath, Serving.Ok); });
        }
    }

    [Fact]
    public async Task A_socket_that_a_killed_process_left_is_taken_over()
    {
        LeaveSocket();
        Assert.True(File.Exists(SocketPath));
        await using var serving = await Serving.StartAsync(address: $"unix:{SocketPath}");
        using var client = await RawClient.ConnectAsync(new UnixDomainSocketEndPoint(SocketPath));
        Assert.Equal(200, (await client.GetAsync("/")).Status);
    }

    [Fact]
    public async Task A_socket_that_somebody_listens_on_is_left_alone_even_when_its_queue_is_full()
    {
        using var owner = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        owner.Bind(new UnixDomainSocketEndPoint(SocketPath));
        owner.Listen(1);
        var queued = new List<Socket>();
        for (var free = true; free;)
        {
            var client = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified) { Blocking = false };
            queued.Add(client);
            try
            {
                await client.ConnectAsync(new UnixDomainSocketEndPoint(SocketPath)).WaitAsync(TimeSpan.FromMilliseconds(200));
            }
            catch (Exception e) when (e is SocketException or TimeoutException)
            {
                free = false;
            }
        }

        await Assert.ThrowsAsync<IOException>(() => new GracefulServer($"unix:{SocketPath}", Serving.Ok).ListenAndServeAsync().Soon());
        Assert.True(File.Exists(SocketPath));
        queued.ForEach(client => client.Dispose());
    }

    [Fact]
    public async Task What_is_no_socket_is_left_alone()
    {
        await File.WriteAllTextAsync(SocketPath, "dear diary");
        await Assert.ThrowsAsync<IOException>(() => new GracefulServer($"unix:{SocketPath}", Serving.Ok).ListenAndServeAsync().Soon());
        Assert.Equal("dear diary", await File.ReadAllTextAsync(SocketPath));
        File.Delete(SocketPath);

        var elsewhere = SocketPath + ".elsewhere";
        LeaveSocket(elsewhere);
        File.CreateSymbolicLink(SocketPath, elsewhere);
        await Assert.ThrowsAsync<IOException>(() => new GracefulServer($"unix:{SocketPath}", Serving.Ok).ListenAndServeAsync().Soon());
        Assert.True(File.Exists(elsewhere));
        File.Delete(SocketPath);

        Directory.CreateDirectory(SocketPath);
        await Assert.ThrowsAsync<IOException>(() => new GracefulServer($"unix:{SocketPath}", Serving.Ok).ListenAndServeAsync().Soon());
        Assert.True(Directory.Exists(SocketPath));
    }

    [Fact]
    public void A_keep_alive_that_the_system_can_not_count_is_refused()
    {
        var server = new GracefulServer();
        foreach (var wrong in (TimeSpan[])[TimeSpan.Zero, TimeSpan.FromMilliseconds(999), TimeSpan.FromSeconds(32768), TimeSpan.FromSeconds(-5)])
        {
            Assert.Contains("TcpKeepAlive is", Assert.Throws<ArgumentOutOfRangeException>(() => server.TcpKeepAlive = wrong).Message, StringComparison.Ordinal);
        }

        Assert.Equal(TimeSpan.FromSeconds(15), server.TcpKeepAlive);
        server.TcpKeepAlive = Timeout.InfiniteTimeSpan;
    }

    [Theory]
    [InlineData("SIGKILL", "the system lets nobody handle it")]
    [InlineData("19", "the system lets nobody handle it")]
    [InlineData("SIGSEGV", "the .NET runtime needs it for itself")]
    [InlineData(" ", "")]
    public void A_signal_that_nobody_may_handle_is_refused_at_once(string signal, string why) => Assert.Contains(
        why, Assert.ThrowsAny<ArgumentException>(() => new GracefulServer().CloseOnSignals(signal)).Message, StringComparison.Ordinal);

    [Fact]
    public async Task A_signal_can_not_mean_two_things()
    {
        await using var server = new GracefulServer(Serving.Loopback, Serving.Ok).CloseOnSignals("SIGUSR2");
        server.Configure(options => options.Signals["12"] = SignalAction.Call(_ => { }));
        var e = await Assert.ThrowsAsync<InvalidOperationException>(() => server.ListenAndServeAsync().Soon());
        Assert.Contains("The signal '12' closes this server", e.Message, StringComparison.Ordinal);
    }

    /// <summary>As a process that is killed does: closed, but not removed.</summary>
    private void LeaveSocket(string? path = null)
    {
        path ??= SocketPath;
        using var owner = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        owner.Bind(new UnixDomainSocketEndPoint(path + ".new"));
        owner.Listen(1);
        // Renamed, it is not the file that the runtime removes.
        File.Move(path + ".new", path);
    }
}
