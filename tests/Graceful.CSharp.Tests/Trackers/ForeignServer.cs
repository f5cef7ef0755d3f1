using System.Net;
using System.Net.Sockets;
using Graceful.Tests.Support;

namespace Graceful.Tests.Trackers;

/// <summary>
/// A server that is not ours: an accept loop and a loop per connection, which answer <c>ping</c> with <c>pong</c>. At <c>door</c> it waits at the
/// door, and after <c>hijack</c> each line comes back as it is.
/// </summary>
internal sealed class ForeignServer : IAsyncDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource _enough = new();
    private readonly Task _accepting;
    private int _closes;
    private int _asks;
    private int _stops;

    /// <param name="graceful">Whose way out it joins.</param>
    /// <param name="aborts">Whether it can end a connection at once.</param>
    /// <param name="asks">Whether it can tell a client.</param>
    /// <param name="name">What reports call it.</param>
    public ForeignServer(IGraceful graceful, bool aborts = true, bool asks = false, string name = "lines")
    {
        _listener.Start();
        Tracker = new ConnectionTracker<TcpClient>(graceful, new()
        {
            Name = name,
            StopAccepting = StopAcceptingAsync,
            Close = client =>
            {
                Interlocked.Increment(ref _closes);
                client.Close();
            },
            Abort = aborts ? client => client.Client.Close(timeout: 0) : null,
            Ask = asks ? client =>
            {
                Interlocked.Increment(ref _asks);
                client.GetStream().Write("bye\n"u8);
            } : null,
            SocketOf = client => client.Client,
            IdOf = client => $"from {client.Client.RemoteEndPoint}",
        });
        _accepting = AcceptAsync();
    }

    public ConnectionTracker<TcpClient> Tracker { get; }

    public Door Door { get; } = new();

    public int Port => ((IPEndPoint)_listener.LocalEndpoint).Port;

    /// <summary>How many connections it was told to close.</summary>
    public int Closes => Volatile.Read(ref _closes);

    public int Asks => Volatile.Read(ref _asks);

    public int Stops => Volatile.Read(ref _stops);

    /// <summary>Accepts nobody before it is let go.</summary>
    public TaskCompletionSource? Held { get; set; }

    public async ValueTask DisposeAsync()
    {
        Door.Open();
        await _enough.CancelAsync();
        await _accepting.Soon("The end of the accept loop");
        Tracker.Dispose();
        _enough.Dispose();
    }

    /// <summary>A connection that has said nothing yet, and is tracked.</summary>
    public async Task<RawClient> NewAsync()
    {
        var before = Tracker.Count;
        var client = await RawClient.ConnectAsync(Port);
        await Limits.Until(() => Tracker.Count > before, "the connection is tracked");
        return client;
    }

    /// <summary>A connection that was served once, and is idle.</summary>
    public async Task<RawClient> IdleAsync()
    {
        var before = Tracker.Connections[ConnectionPhase.Idle];
        var client = await RawClient.ConnectAsync(Port);
        await PingAsync(client);
        await Limits.Until(() => Tracker.Connections[ConnectionPhase.Idle] > before, "the connection is idle");
        return client;
    }

    /// <summary>A connection on which the server works, until the door is opened.</summary>
    public async Task<RawClient> ActiveAsync()
    {
        var before = Tracker.Connections[ConnectionPhase.Active];
        var client = await RawClient.ConnectAsync(Port);
        await client.SendAsync("door\n");
        await Limits.Until(() => Tracker.Connections[ConnectionPhase.Active] > before, "the connection is active");
        return client;
    }

    public async Task<RawClient> HijackedAsync()
    {
        var client = await RawClient.ConnectAsync(Port);
        await client.SendAsync("hijack\n");
        await AnswersAsync(client, "mine");
        return client;
    }

    public static async Task PingAsync(RawClient client)
    {
        await client.SendAsync("ping\n");
        await AnswersAsync(client, "pong");
    }

    public static async Task AnswersAsync(RawClient client, string line) =>
        Assert.Equal(line + "\n", System.Text.Encoding.Latin1.GetString(await client.ReadBytesAsync(line.Length + 1)));

    private async Task StopAcceptingAsync(CancellationToken aborting)
    {
        Interlocked.Increment(ref _stops);
        await _enough.CancelAsync();
        await _accepting;
    }

    private async Task AcceptAsync()
    {
        try
        {
            while (true)
            {
                var client = await _listener.AcceptTcpClientAsync(_enough.Token);
                Serve(client);
                if (Held is { } held)
                {
                    await held.Task.WaitAsync(_enough.Token);
                }
            }
        }
        catch (OperationCanceledException)
        {
            while (_listener.Pending())
            {
                Serve(await _listener.AcceptTcpClientAsync());
            }
        }

        _listener.Stop();
    }

    private void Serve(TcpClient client)
    {
        client.NoDelay = true;
        if (Tracker.Opened(client))
        {
            _ = Task.Run(() => TalkAsync(client));
        }
        else
        {
            client.Dispose();
        }
    }

    private async Task TalkAsync(TcpClient client)
    {
        try
        {
            var stream = client.GetStream();
            using var lines = new StreamReader(stream);
            var isHijacked = false;
            while (await lines.ReadLineAsync() is { } line && (isHijacked || Tracker.Active(client)))
            {
                isHijacked = isHijacked || (line == "hijack" && Tracker.Hijacked(client));
                await stream.WriteAsync(lines.CurrentEncoding.GetBytes(await AnswerAsync(line, isHijacked) + "\n"));
                if (!isHijacked && !Tracker.Idle(client))
                {
                    break;
                }
            }
        }
        catch (Exception e) when (e is IOException or ObjectDisposedException or InvalidOperationException)
        {
            // It was closed, by either side.
        }
        finally
        {
            Tracker.Closed(client);
            client.Dispose();
        }
    }

    private async Task<string> AnswerAsync(string line, bool isHijacked)
    {
        switch (line)
        {
            case "hijack":
                return "mine";
            case "ping" when !isHijacked:
                return "pong";
            case "door":
                await Door.PassAsync();
                return "open";
            default:
                return line;
        }
    }
}
