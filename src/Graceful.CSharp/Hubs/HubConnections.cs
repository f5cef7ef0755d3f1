using System.Collections.Concurrent;
using Graceful.Engine;
using Graceful.Kestrel;
using Graceful.Reporting;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Http.Connections;
using Microsoft.AspNetCore.Http.Connections.Features;
using Microsoft.AspNetCore.SignalR;

namespace Graceful.Hubs;

/// <summary>
/// The connections of SignalR's hubs. On the way out each ends as its hub ends it: its client is told to come back, which it does
/// elsewhere. SignalR by itself drops them when the host begins to stop, without a word, and overlooks who comes after that
/// (dotnet/aspnetcore 58947).
/// </summary>
internal sealed class HubConnections : IHubFilter
{
    /// <summary>How long the host is kept from going on, and SignalR from dropping who is left. It takes itself five seconds for that.</summary>
    public static readonly TimeSpan GoodbyeLimit = TimeSpan.FromSeconds(1);

    private readonly LifecycleEngine _engine;
    private readonly ConcurrentDictionary<HubCallerContext, TaskCompletionSource> _connections = new(ReferenceEqualityComparer.Instance);

    public HubConnections(LifecycleEngine engine)
    {
        _engine = engine;
        engine.Draining.Register(() => SayGoodbye());
    }

    /// <summary>Lets all of them end.</summary>
    /// <returns>Completes when they have, at once when there are none.</returns>
    public Task SayGoodbye()
    {
        var ends = new List<Task>();
        foreach (var (connection, end) in _connections)
        {
            ends.Add(end.Task);
            Close(connection);
        }

        return Task.WhenAll(ends);
    }

    public async Task OnConnectedAsync(HubLifetimeContext context, Func<HubLifetimeContext, Task> next)
    {
        var connection = context.Context;
        _connections[connection] = new(TaskCreationOptions.RunContinuationsAsynchronously);
        if (connection.GetHttpContext() is { } request && connection.Features.Get<IHttpTransportFeature>()?.TransportType is not HttpTransportType.LongPolling)
        {
            // What its hub says goes over one response, and is said when that has ended.
            request.Response.OnCompleted(() =>
            {
                Ended(connection);
                return Task.CompletedTask;
            });
            request.Features.Get<WebSocketStream>()?.LeaveAlone();
        }

        // The drain says that it begins and then looks who is there; so one of the two finds the other.
        Interlocked.MemoryBarrier();
        if (_engine.IsDraining)
        {
            Close(connection);
        }

        try
        {
            await next(context).ConfigureAwait(false);
        }
        catch
        {
            // The hub did not want it, and hears no more of it.
            Ended(connection);
            throw;
        }
    }

    public async Task OnDisconnectedAsync(HubLifetimeContext context, Exception? exception, Func<HubLifetimeContext, Exception?, Task> next)
    {
        try
        {
            await next(context, exception).ConfigureAwait(false);
        }
        finally
        {
            if (context.Context.Features.Get<IHttpTransportFeature>()?.TransportType is null or HttpTransportType.LongPolling)
            {
                Ended(context.Context);
            }
        }
    }

    private void Close(HubCallerContext connection)
    {
        try
        {
            connection.Features.Get<IConnectionLifetimeNotificationFeature>()?.RequestClose();
        }
#pragma warning disable CA1031 // It is at its end already, or ends when time is over.
        catch (Exception e)
#pragma warning restore CA1031
        {
            _engine.Say(log => Log.HubNotClosed(log, e, connection.ConnectionId));
        }
    }

    private void Ended(HubCallerContext connection)
    {
        if (_connections.TryRemove(connection, out var end))
        {
            end.TrySetResult();
        }
    }
}
