using Graceful.Tests.Inside;
using Graceful.Tests.Support;

namespace Graceful.Tests.Activation;

/// <summary>Somebody waits in the queue of a socket that was given to the server, and the server does not take him: the next one does.</summary>
public sealed class LeftToTheNext : IAsyncDisposable
{
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(10);

    private readonly System.Net.Sockets.Socket _socket = Servers.Sockets.Listening();
    private readonly ManualTime _time = new();
    private readonly Door _hook = new();

    public ValueTask DisposeAsync()
    {
        _hook.Open();
        _socket.Dispose();
        return default;
    }

    [Fact]
    public async Task Who_waits_before_the_stop_because_accepting_is_paused_is_answered_by_the_next_start()
    {
        await using var first = await StartAsync();
        var (gap, pausing) = (new PlainIntake(), new TaskCompletionSource());
        gap.Pausing = pausing.Task;
        var listener = Assert.Single(first.Engine.Intakes.All());
        first.Engine.Intakes.TryAdd(gap);
        _time.Advance(Limit);
        await Limits.Until(() => !listener.IsAnybodyWaiting, "the listener is paused");
        using var client = await RawClient.ConnectAsync(_socket.LocalEndPoint!);
        await client.SendGetAsync("/");
        await Limits.Until(() => listener.IsAnybodyWaiting, "he waits");

        // Before the second look, which would find him.
        var leaving = first.LeaveAsync();
        pausing.SetResult();
        await LeavesHimAsync(await leaving, StopCause.Requested, client);
    }

    [Fact]
    public async Task Who_waits_before_the_listener_stops_because_the_first_hooks_run_is_answered_by_the_next_start()
    {
        await using var first = await StartAsync(options => options.OnStopping("hook", TimeSpan.FromMinutes(1), (_, _) => _hook.PassAsync()));
        _time.Advance(Limit);
        await _hook.Reached();
        using var client = await RawClient.ConnectAsync(_socket.LocalEndPoint!);
        await client.SendGetAsync("/");
        await Limits.Until(() => Assert.Single(first.Engine.Intakes.All()).IsAnybodyWaiting, "he waits");
        _hook.Open();
        await LeavesHimAsync(await first.ReportAsync(), StopCause.Idle, client);
    }

    private async Task LeavesHimAsync(ShutdownReport report, StopCause cause, RawClient client)
    {
        Assert.Equal((cause, 0), (report.Reason.Cause, report.ExitCode));
        Assert.Contains(report.Listeners, listener => listener.Contains("accepting stopped, 0 accepted in the last call", StringComparison.Ordinal));
        Assert.False(client.HasNews);
        await using var second = await StartAsync();
        Assert.Equal("ok", (await client.ReadAsync()).Text);
    }

    private Task<TestApp> StartAsync(Action<GracefulOptions>? graceful = null) => TestApp.StartAsync(options =>
    {
        (options.TimeProvider, options.IdleLimit) = (_time, Limit);
        options.Activation = new SocketActivation([new ActivatedSocket("web", (int)_socket.Handle, _socket)]);
        graceful?.Invoke(options);
    });
}
