// A server that is not ours, on a plain TcpListener: it sends each line back, and on SIGTERM it leaves in order.
//   Echo PORT
using System.Buffers;
using System.IO.Pipelines;
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
        var stream = client.GetStream();
        var input = PipeReader.Create(stream);
        var isOpen = true;
        while (isOpen)
        {
            var read = await input.ReadAsync();
            var buffer = read.Buffer;
            isOpen = !read.IsCompleted;
            if (buffer.IsEmpty || !tracker.Active(client))
            {
                break;
            }

            while (buffer.PositionOf((byte)'\n') is { } end)
            {
                end = buffer.GetPosition(1, end);
                await stream.WriteAsync(buffer.Slice(0, end).ToArray());
                buffer = buffer.Slice(end);
            }

            // Idle is who has sent nothing that is not answered. Whoever sent half a line is not.
            isOpen = isOpen && (!buffer.IsEmpty || tracker.Idle(client));
            input.AdvanceTo(buffer.Start, buffer.End);
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
