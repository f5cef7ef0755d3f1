// A server that is not ours, on a plain TcpListener: it sends each line back, and on SIGTERM it leaves in order.
//   Echo PORT
using System.Net;
using System.Net.Sockets;
using Graceful;

if (args is not [var port])
{
    Console.Error.WriteLine("Usage: Echo PORT");
    return 64;
}

await using var lifecycle = GracefulLifecycle.Start();
using var listener = new TcpListener(IPEndPoint.Parse($"127.0.0.1:{port}"));
using var enough = new CancellationTokenSource();
var acceptedAll = new TaskCompletionSource();
using var tracker = new ConnectionTracker<TcpClient>(lifecycle, new()
{
    StopAccepting = async _ =>
    {
        await enough.CancelAsync();
        await acceptedAll.Task;
    },
    Close = client => client.Close(),
    SocketOf = client => client.Client,
});

listener.Start();
lifecycle.Ready();
Console.WriteLine($"Listening on {listener.LocalEndpoint}");
try
{
    while (true)
    {
        Serve(await listener.AcceptTcpClientAsync(enough.Token));
    }
}
catch (OperationCanceledException)
{
    // Who waits in the queue believes to be connected already.
    while (listener.Pending())
    {
        Serve(listener.AcceptTcpClient());
    }
}

listener.Stop();
acceptedAll.SetResult();
var report = await lifecycle.Completion;
Console.WriteLine(report);
return report.ExitCode;

void Serve(TcpClient client)
{
    if (tracker.Opened(client))
    {
        _ = EchoAsync(client);
    }
    else
    {
        client.Dispose();
    }
}

async Task EchoAsync(TcpClient client)
{
    try
    {
        using var lines = new StreamReader(client.GetStream());
        while (await lines.ReadLineAsync() is { } line && tracker.Active(client))
        {
            await client.GetStream().WriteAsync(lines.CurrentEncoding.GetBytes(line + "\n"));
            if (!tracker.Idle(client))
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
        tracker.Closed(client);
        client.Dispose();
    }
}
