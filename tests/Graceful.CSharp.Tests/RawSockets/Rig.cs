using System.Net;
using System.Net.Sockets;
using System.Text;
using Graceful.Engine;
using Graceful.Tests.Support;
using Microsoft.Extensions.Logging.Abstractions;

namespace Graceful.Tests.RawSockets;

/// <summary>A listener on a way out without a server around it, and clients that connect to it.</summary>
internal sealed class Rig : IAsyncDisposable
{
    private readonly List<IDisposable> _others = [];
    private readonly LifecycleEngine _engine;
    private readonly DirectoryInfo? _folder;

    public Rig(
        ConnectionMode mode,
        Action<GracefulOptions>? configure = null,
        GracefulListenerOptions? options = null,
        bool overUnix = false,
        TimeSpan? quiet = null)
    {
        var way = new GracefulOptions
        {
            OwnsProcess = false, NotifyServiceManager = false, QuietPeriod = quiet ?? TimeSpan.FromMilliseconds(100), SettleTime = TimeSpan.FromMilliseconds(20),
        };
        configure?.Invoke(way);
        _engine = new LifecycleEngine(way, NullLogger.Instance);
        _engine.StartedUp();
        Graceful = new GracefulControl(_engine, way, prolong: _ => { });
        if (overUnix)
        {
            _folder = Directory.CreateTempSubdirectory("graceful");
            Socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
            Socket.Bind(new UnixDomainSocketEndPoint(Path.Combine(_folder.FullName, "s")));
        }
        else
        {
            Socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            Socket.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        }

        Socket.Listen(int.MaxValue);
        Listener = new GracefulListener(Socket, mode, Graceful, options);
    }

    public IGraceful Graceful { get; }

    public LifecycleEngine Engine => _engine;

    public Socket Socket { get; }

    public GracefulListener Listener { get; }

    public async Task<Socket> ConnectAsync()
    {
        var to = Listener.LocalEndPoint;
        var client = new Socket(to.AddressFamily, SocketType.Stream, to is IPEndPoint ? ProtocolType.Tcp : ProtocolType.Unspecified);
        _others.Add(client);
        await client.ConnectAsync(to).Soon("The connection");
        return client;
    }

    public async Task<GracefulConnection> AcceptAsync() =>
        await Listener.AcceptAsync().AsTask().Soon("An accept") ?? throw new InvalidOperationException("There are no more connections.");

    /// <summary>Both ends of a new connection.</summary>
    public async Task<(GracefulConnection Server, Socket Client)> PairAsync()
    {
        var accepting = Listener.AcceptAsync();
        var client = await ConnectAsync();
        return (await accepting.AsTask().Soon("An accept") ?? throw new InvalidOperationException("There are no more connections."), client);
    }

    public Task<ShutdownReport> LeaveAsync()
    {
        Graceful.Close();
        return _engine.Exited.Soon("The end of the way out");
    }

    public async ValueTask DisposeAsync()
    {
        await Listener.DisposeAsync();
        _others.ForEach(client => client.Dispose());
        _engine.Dispose();
        _folder?.Delete(recursive: true);
    }
}

internal static class Talk
{
    public static async Task SayAsync(this Socket client, string what) =>
        _ = await client.SendAsync(Encoding.ASCII.GetBytes(what)).Soon("A send");

    public static async Task<string> HearAsync(this Socket client)
    {
        var buffer = new byte[4096];
        var bytes = await client.ReceiveAsync(buffer).Soon("An answer");
        return Encoding.ASCII.GetString(buffer, 0, bytes);
    }

    /// <summary>All that comes until the end.</summary>
    public static async Task<string> HearAllAsync(this Socket client)
    {
        var all = new StringBuilder();
        while (await client.HearAsync() is { Length: > 0 } more)
        {
            all.Append(more);
        }

        return all.ToString();
    }

    public static Task SayAsync(this Stream server, string what) => server.WriteAsync(Encoding.ASCII.GetBytes(what)).AsTask().Soon("A write");

    public static async Task<string> HearAsync(this Stream server)
    {
        var buffer = new byte[4096];
        var bytes = await server.ReadAsync(buffer).AsTask().Soon("A read");
        return Encoding.ASCII.GetString(buffer, 0, bytes);
    }

    /// <summary>Waits for the end of the connection, which must be one in order.</summary>
    public static async Task EndsAsync(this Socket client) => Assert.Equal("", await client.HearAsync());

    public static async Task IsResetAsync(this Socket client)
    {
        var error = await Assert.ThrowsAsync<SocketException>(() => client.HearAsync());
        Assert.Equal(SocketError.ConnectionReset, error.SocketErrorCode);
    }

    /// <summary>Whether the other end has neither closed nor said anything.</summary>
    public static bool IsOpen(this Socket client) => !client.Poll(TimeSpan.Zero, SelectMode.SelectRead);
}
