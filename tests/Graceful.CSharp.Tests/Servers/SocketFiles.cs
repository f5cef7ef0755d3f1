using System.Net.Sockets;
using System.Runtime.Versioning;
using Graceful.Sockets;
using Graceful.Tests.Support;
using Microsoft.AspNetCore.Hosting;

namespace Graceful.Tests.Servers;

/// <summary>The files of Unix sockets: who may come to a path, what it looks like, and who removes it.</summary>
[UnsupportedOSPlatform("windows")]
public sealed class SocketFiles : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("graceful");

    /// <summary>Who opens the socket.</summary>
    public enum Opener
    {
        KestrelEndpoint,
        KestrelUrl,
        Server,
        Listener,
    }

    private string Address => Path.Combine(_folder.FullName, "socket");

    private UnixDomainSocketEndPoint EndPoint => new(Address);

    public void Dispose() => _folder.Delete(recursive: true);

    [Theory]
    [InlineData(Opener.KestrelEndpoint)]
    [InlineData(Opener.KestrelUrl)]
    [InlineData(Opener.Server)]
    [InlineData(Opener.Listener)]
    public async Task One_that_a_killed_process_left_is_replaced(Opener opener)
    {
        Leave();
        await Assert.ThrowsAnyAsync<SocketException>(() => RawClient.ConnectAsync(EndPoint));
        await using (await StartAsync(opener))
        {
            using var client = await RawClient.ConnectAsync(EndPoint);
        }

        Assert.False(File.Exists(Address));
        Assert.Empty(_folder.EnumerateFileSystemInfos());
    }

    [Theory]
    [InlineData(Opener.KestrelEndpoint)]
    [InlineData(Opener.Server)]
    [InlineData(Opener.Listener)]
    public async Task One_that_somebody_listens_on_is_in_use_and_stays_his(Opener opener)
    {
        using var owner = Bound(Address);
        owner.Listen(8);
        var his = SocketFile.At(Address);
        var e = await Assert.ThrowsAsync<IOException>(() => StartAsync(opener));
        Assert.Contains(Address, e.Message, StringComparison.Ordinal);
        Assert.Contains("in use", e.Message, StringComparison.Ordinal);
        Assert.Equal(his, SocketFile.At(Address));
        using var client = await RawClient.ConnectAsync(EndPoint);
    }

    [Theory]
    [InlineData(Opener.KestrelEndpoint)]
    [InlineData(Opener.Server)]
    [InlineData(Opener.Listener)]
    public async Task What_is_no_socket_is_never_removed(Opener opener)
    {
        await File.WriteAllTextAsync(Address, "dear diary");
        var e = await Assert.ThrowsAsync<IOException>(() => StartAsync(opener));
        Assert.StartsWith($"Can't listen on '{Address}': a file that is no socket is there", e.Message, StringComparison.Ordinal);
        Assert.Equal("dear diary", await File.ReadAllTextAsync(Address));
    }

    [Fact]
    public async Task A_folder_that_is_not_there_is_an_error_that_names_the_path()
    {
        var path = Path.Combine(_folder.FullName, "no", "socket");
        var e = await Assert.ThrowsAsync<IOException>(() => new GracefulServer(path, Serving.Ok).ListenAndServeAsync().Soon());
        Assert.StartsWith($"Can't listen on '{path}': ", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Of_those_who_start_at_once_at_one_that_was_left_one_gets_it()
    {
        for (var round = 0; round < 30; round++)
        {
            Leave();
            using var start = new Barrier(6);
            var starts = Enumerable.Range(0, 6).Select(_ => Task.Factory.StartNew(
                () =>
                {
                    start.SignalAndWait(Limits.Hang);
                    try
                    {
                        return UnixListener.Open(EndPoint, mode: null, backlog: 8);
                    }
                    catch (SocketException e) when (e.SocketErrorCode == SocketError.AddressAlreadyInUse)
                    {
                        return null;
                    }
                },
                TaskCreationOptions.LongRunning)).ToList();
            var opened = (await Task.WhenAll(starts).Soon("The starts")).Where(socket => socket is not null).ToList();
            var socket = Assert.Single(opened)!;
            using (var client = await RawClient.ConnectAsync(EndPoint))
            {
                Assert.True(socket.Poll(TimeSpan.Zero, SelectMode.SelectRead));
            }

            UnixListener.Close(socket);
            Assert.Empty(_folder.EnumerateFileSystemInfos());
        }
    }

    [Fact]
    public async Task Who_waits_for_the_folder_does_not_wait_for_ever()
    {
        using var other = FolderLock.Take(_folder.FullName);
        var socket = await Task.Run(() => UnixListener.Open(EndPoint, mode: null, backlog: 8)).Soon("The start");
        UnixListener.Close(socket);
    }

    [Theory]
    [InlineData(Opener.KestrelEndpoint, 384)]
    [InlineData(Opener.KestrelEndpoint, 438)]
    [InlineData(Opener.Listener, 432)]
    public async Task It_has_its_permissions_before_anybody_connects(Opener opener, int mode)
    {
        using var over = new CancellationTokenSource();
        var first = Task.Run(() =>
        {
            while (!over.IsCancellationRequested)
            {
                try
                {
                    using var client = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
                    client.Connect(EndPoint);
                    return File.GetUnixFileMode(Address);
                }
                catch (SocketException)
                {
                    // Not yet.
                }
            }

            return UnixFileMode.None;
        });
        await using var serving = await StartAsync(opener, (UnixFileMode)mode);
        Assert.Equal((UnixFileMode)mode, await first.Soon("The first connection"));
        await over.CancelAsync();
    }

    [Fact]
    public async Task Whoever_connects_before_it_has_its_permissions_is_refused()
    {
        const UnixFileMode Wanted = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        var socket = UnixListener.Bind(EndPoint, Address, Wanted);
        Assert.Equal(Wanted, File.GetUnixFileMode(Address));
        var refused = await Assert.ThrowsAsync<SocketException>(() => RawClient.ConnectAsync(EndPoint));
        Assert.Equal(SocketError.ConnectionRefused, refused.SocketErrorCode);
        socket.Listen(8);
        using var client = await RawClient.ConnectAsync(EndPoint);
        UnixListener.Close(socket);
    }

    [Fact]
    public async Task Permissions_that_no_socket_has_are_refused()
    {
        var wrong = (UnixFileMode)0b1_000_000_000;
        Assert.Contains(
            "UnixSocketMode is 512; allowed are permissions",
            (await Assert.ThrowsAsync<Microsoft.Extensions.Options.OptionsValidationException>(() => StartAsync(Opener.KestrelEndpoint, wrong))).Message,
            StringComparison.Ordinal);
        Assert.Contains(
            "UnixSocketMode is 512; allowed are permissions", Assert.Throws<ArgumentException>(() => Listener(wrong)).Message, StringComparison.Ordinal);
        Assert.False(File.Exists(Address));
    }

    [Theory]
    [InlineData(Opener.KestrelEndpoint)]
    [InlineData(Opener.Server)]
    [InlineData(Opener.Listener)]
    public async Task One_that_a_successor_has_put_in_its_place_is_left_to_him(Opener opener)
    {
        Socket successor;
        await using (await StartAsync(opener))
        {
            successor = Bound(Address + ".next");
            successor.Listen(8);
            File.Move(Address + ".next", Address, overwrite: true);
        }

        using (successor)
        {
            Assert.True(File.Exists(Address));
            using var client = await RawClient.ConnectAsync(EndPoint);
            Assert.True(successor.Poll(TimeSpan.Zero, SelectMode.SelectRead));
        }
    }

    [Fact]
    public async Task That_of_a_socket_that_the_user_has_bound_is_left_to_a_successor_too()
    {
        var bound = Bound(Address);
        bound.Listen(8);
        var listener = new GracefulListener(bound, ConnectionMode.Automatic);
        using var successor = Bound(Address + ".next");
        successor.Listen(8);
        File.Move(Address + ".next", Address, overwrite: true);
        await listener.DisposeAsync();
        Assert.True(File.Exists(Address));
        using var client = await RawClient.ConnectAsync(EndPoint);
        Assert.True(successor.Poll(TimeSpan.Zero, SelectMode.SelectRead));
    }

    [Fact]
    public void Whoever_binds_after_it_is_gone_keeps_his_own_when_the_socket_is_closed()
    {
        var socket = UnixListener.Open(EndPoint, mode: null, backlog: 8);
        Assert.Null(UnixListener.FileOf(socket)!.Remove());
        Assert.False(File.Exists(Address));
        var successor = UnixListener.Open(EndPoint, mode: null, backlog: 8);
        socket.Dispose();
        Assert.True(File.Exists(Address));
        UnixListener.Close(successor);
        Assert.False(File.Exists(Address));
    }

    [Fact]
    public async Task A_start_that_fails_elsewhere_leaves_none()
    {
        await using var other = await Serving.StartAsync();
        await using var server = new GracefulServer(Address, Serving.Ok)
            .ConfigureKestrel(kestrel => kestrel.Listen(System.Net.IPAddress.Loopback, other.Port));
        await Assert.ThrowsAsync<IOException>(() => server.ListenAndServeAsync().Soon());
        Assert.Empty(_folder.EnumerateFileSystemInfos());
    }

    [Fact]
    public async Task Who_is_in_the_queue_when_it_goes_is_served()
    {
        await using var app = await TestApp.StartAsync(build: builder => builder.WebHost.ConfigureKestrel(kestrel => kestrel.ListenUnixSocket(Address)));
        await app.Engine.Intakes.PauseAsync().Soon("The pause");
        var clients = new List<RawClient>();
        for (var i = 0; i < 10; i++)
        {
            var client = await RawClient.ConnectAsync(EndPoint);
            await client.SendGetAsync("/");
            clients.Add(client);
        }

        app.Graceful.Close();
        await Limits.Until(() => !File.Exists(Address), "the file is gone");
        await Assert.ThrowsAnyAsync<SocketException>(() => RawClient.ConnectAsync(EndPoint));
        foreach (var client in clients)
        {
            Assert.Equal(200, (await client.ReadAsync()).Status);
            client.Dispose();
        }

        var report = await app.ReportAsync();
        Assert.Equal(0, report.ExitCode);
        Assert.Contains(report.Listeners, listener => listener.EndsWith("10 accepted in the last call", StringComparison.Ordinal));
    }

    [Fact]
    public async Task An_abstract_one_has_no_file_and_is_in_use_as_others_are()
    {
        var name = new UnixDomainSocketEndPoint($"\0graceful-{Guid.NewGuid()}");
        await using (var listener = new GracefulListener(name, ConnectionMode.Automatic, options: new GracefulListenerOptions { UnixSocketMode = UnixFileMode.UserRead }))
        {
            using var client = await RawClient.ConnectAsync(name);
            Assert.Contains("in use", Assert.Throws<IOException>(() => new GracefulListener(name, ConnectionMode.Automatic)).Message, StringComparison.Ordinal);
            Assert.Null(UnixListener.PathOf(name));
        }

        await Assert.ThrowsAnyAsync<SocketException>(() => RawClient.ConnectAsync(name));
        Assert.Equal(Path.GetFullPath("@file"), UnixListener.PathOf(new UnixDomainSocketEndPoint("@file")));
    }

    [Fact]
    public async Task A_listener_for_a_server_that_has_left_opens_nothing()
    {
        await using var lifecycle = GracefulLifecycle.Start(options =>
        {
            options.OwnsProcess = false;
            options.NotifyServiceManager = false;
            options.Signals.Clear();
        });
        lifecycle.Close();
        await lifecycle.Completion.Soon("The way out");
        Assert.Throws<InvalidOperationException>(() => new GracefulListener(EndPoint, ConnectionMode.Automatic, lifecycle));
        Assert.Empty(_folder.EnumerateFileSystemInfos());
    }

    private static Socket Bound(string path)
    {
        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        socket.Bind(new UnixDomainSocketEndPoint(path));
        return socket;
    }

    /// <summary>As a process that is killed does: closed, but not removed. Renamed, it is not the file that the runtime removes.</summary>
    private void Leave()
    {
        using var owner = Bound(Address + ".new");
        owner.Listen(1);
        File.Move(Address + ".new", Address);
    }

    private GracefulListener Listener(UnixFileMode? mode = null) =>
        new(EndPoint, ConnectionMode.Automatic, options: new GracefulListenerOptions { UnixSocketMode = mode });

    private async Task<IAsyncDisposable> StartAsync(Opener opener, UnixFileMode? mode = null) => opener switch
    {
        Opener.KestrelEndpoint => await TestApp.StartAsync(
            options => options.UnixSocketMode = mode, build: builder => builder.WebHost.ConfigureKestrel(kestrel => kestrel.ListenUnixSocket(Address))),
        Opener.KestrelUrl => await TestApp.StartAsync(
            options => options.UnixSocketMode = mode,
            build: builder =>
            {
                builder.WebHost.UseUrls($"http://unix:{Address}");
                builder.WebHost.UseSetting(WebHostDefaults.PreferHostingUrlsKey, "true");
            }),
        Opener.Server => await Serving.StartAsync(address: Address),
        _ => Listener(mode),
    };
}
