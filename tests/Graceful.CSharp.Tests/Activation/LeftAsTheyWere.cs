using System.Net.Sockets;
using Graceful.Posix;
using Graceful.Tests.Support;

namespace Graceful.Tests.Activation;

/// <summary>Whoever serves from the service manager's sockets on his own leaves them as they were, without being told to.</summary>
public sealed class LeftAsTheyWere : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("graceful");
    private readonly List<Socket> _open = [];

    public void Dispose()
    {
        _open.ForEach(socket => socket.Dispose());
        _folder.Delete(recursive: true);
    }

    [Theory]
    [InlineData(false, false)]
    [InlineData(false, true)]
    [InlineData(true, false)]
    [InlineData(true, true)]
    public async Task By_a_GracefulListener(bool overUnix, bool ofAClone)
    {
        var (managers, given) = Given(overUnix);
        await using var one = new GracefulListener(given.Socket, ConnectionMode.Automatic);
        await using var two = ofAClone ? new GracefulListener(Open(one.Clone()), ConnectionMode.Automatic) : null;
        using var waiting = await RawClient.ConnectAsync(managers.LocalEndPoint!);
        await (two ?? one).DrainAllAsync().Soon("The drain");
        await (two ?? one).DisposeAsync();
        await GoesOnAsync(managers, waitingAlready: true);
        await GoesOnAsync(managers);
        await GoesOnAsync(given.Socket, at: managers);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task By_a_GracefulServer_whatever_keeps_newcomers_out(bool overUnix)
    {
        var (managers, given) = Given(overUnix);
        await using var server = new GracefulServer { Handler = Servers.Serving.Ok }.Configure(options => options.Intake = IntakeMethod.SynFilter);
        var serving = await Servers.Serving.StartAsync(server, server.ServeAsync(given.Socket));
        using (var client = await RawClient.ConnectAsync(managers.LocalEndPoint!))
        {
            Assert.Equal("ok", (await client.GetAsync("/")).Text);
        }

        Assert.Equal(0, (await serving.CloseAsync()).ExitCode);
        await GoesOnAsync(managers);
        await GoesOnAsync(given.Socket, at: managers);
    }

    /// <summary>Somebody comes, and whoever holds it next accepts him.</summary>
    private static async Task GoesOnAsync(Socket holder, bool waitingAlready = false, Socket? at = null)
    {
        using var client = waitingAlready ? null : await RawClient.ConnectAsync((at ?? holder).LocalEndPoint!);
        using var accepted = await holder.AcceptAsync().Soon("An accept by the next holder");
    }

    private (Socket Managers, ActivatedSocket Given) Given(bool overUnix)
    {
        Socket managers;
        if (overUnix)
        {
            managers = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
            managers.Bind(new UnixDomainSocketEndPoint(Path.Combine(_folder.FullName, "s")));
            managers.Listen();
        }
        else
        {
            managers = Servers.Sockets.Listening();
        }

        var descriptor = Descriptor.Duplicate((int)Open(managers).Handle);
        return (managers, new ActivatedSocket("web", descriptor, Open(new Socket(new SafeSocketHandle(descriptor, ownsHandle: true)))));
    }

    private Socket Open(Socket socket)
    {
        _open.Add(socket);
        return socket;
    }
}
