using System.Net.Sockets;

namespace Graceful.Probe;

// One client as a task: request after request, as its kind has it.
internal abstract class TaskClient(ClientKind kind, LoadPlan plan, TaskLoad load) : IDisposable
{
    private int failures;

    protected ClientKind Kind => kind;

    protected LoadPlan Plan => plan;

    protected TaskLoad Load => load;

    public async Task RunAsync()
    {
        while (load.Stage < Stage.Gone)
        {
            bool answered = await RequestAsync();
            if (kind is ClientKind.Idle or ClientKind.Slow)
            {
                break;
            }
            failures = answered ? 0 : Math.Min(failures + 1, 7);
            if (!answered)
            {
                await load.PauseAsync(TimeSpan.FromMilliseconds(2 << failures));
            }
            else if (kind == ClientKind.KeepAlive && plan.Think > TimeSpan.Zero)
            {
                await load.PauseAsync(plan.Think);
            }
        }
        if (kind == ClientKind.Idle)
        {
            load.IdleOpenedOrNot();
        }
        await SitAsync();
        Dispose();
    }

    // True when there was a complete answer; what became of it is counted.
    public abstract Task<bool> RequestAsync();

    // The run is over for this client.
    public abstract void Dispose();

    // An idle connection until it is closed, or until nothing more is to be expected.
    protected abstract Task SitAsync();

    // Null when there is none, and what that means is counted.
    protected async Task<(Socket Socket, Stream Stream)?> ConnectAsync(Connector connector)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(load.Cut);
        Socket? socket = null;
        try
        {
            limit.CancelAfter(plan.ConnectLimit);
            socket = await connector.ConnectAsync(limit.Token);
            load.CountConnection();
            limit.CancelAfter(plan.RequestLimit);
            return (socket, await connector.OpenAsync(socket, limit.Token));
        }
        catch (Exception e) when (Connector.Meaning(e, socket is not null) is Outcome outcome)
        {
            Count(outcome);
        }
        catch (SocketException e)
        {
            load.CountProbeError(e);
        }
        socket?.Dispose();
        return null;
    }

    protected bool Count(Outcome outcome)
    {
        load.Count(kind, outcome);
        return false;
    }
}
