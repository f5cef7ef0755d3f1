using System.Collections.Concurrent;
using Graceful.Tests.Support;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using System.Net;
using System.Net.Sockets;

namespace Graceful.Tests.RawSockets;

/// <summary>Raw connections on the way out of a server.</summary>
public sealed class Joined
{
    [Fact]
    public async Task Listeners_leave_together_with_Kestrels_and_the_report_has_all_of_them()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.AddGraceful(options => options.QuietPeriod = TimeSpan.FromMilliseconds(100));
        var app = builder.Build();
        app.Run(context => context.Response.WriteAsync("ok"));
        await using var running = await Running.StartAsync(app);
        await using var one = new GracefulListener(Listening(), ConnectionMode.Automatic, running.Graceful);
        await using var other = new GracefulListener(Listening(), ConnectionMode.Manual, running.Graceful);
        using var web = await RawClient.ConnectAsync(running.Port);
        Assert.Equal(200, (await web.GetAsync("/")).Status);
        var (busy, busyClient) = await PairAsync(one);
        using var _ = busyClient;
        await busyClient.SayAsync("work");
        Assert.Equal("work", await busy.HearAsync());
        var (idle, idleClient) = await PairAsync(other);
        using var __ = idleClient;

        var leaving = running.LeaveAsync();
        Assert.Null(await one.AcceptAsync().AsTask().Soon("The end of the one"));
        Assert.Null(await other.AcceptAsync().AsTask().Soon("The end of the other"));
        await idleClient.EndsAsync();
        Assert.False(leaving.IsCompleted);

        // What ends before it was told to is not work that the way out waited for.
        await Limits.Until(() => busy.IsRetiring, "everybody retires");
        await busy.SayAsync("done");
        busy.MarkIdle();
        var report = await leaving;
        Assert.Equal("done", await busyClient.HearAsync());
        await busyClient.EndsAsync();
        Assert.Equal(0, report.ExitCode);
        Assert.Equal(3, report.Listeners.Count);
        Assert.Contains(report.Listeners, line => line.StartsWith($"{one.LocalEndPoint}: ", StringComparison.Ordinal));
        Assert.Contains(report.Listeners, line => line.StartsWith($"{other.LocalEndPoint}: ", StringComparison.Ordinal));
        Assert.Equal((3, 1), ((int)report.ConnectionsClosed, (int)report.WorkFinished));
        Assert.Equal(ConnectionPhase.Closed, idle.Phase);
    }

    [Fact]
    public async Task Who_is_cut_off_is_named_by_its_remote_end_point()
    {
        await using var rig = new Rig(ConnectionMode.Automatic);
        var (server, client) = await rig.PairAsync();
        await client.SayAsync("work");
        _ = await server.HearAsync();
        Assert.True(rig.Graceful.CloseNow());
        var report = await rig.Engine.Exited.Soon("The end of the way out");
        Assert.Equal(ShutdownOutcome.Forced, report.Outcome);
        Assert.Equal($"connection from {client.LocalEndPoint}", Assert.Single(report.WorkCutOff).Name);
        Assert.Equal(1, report.ConnectionsAborted);
        await client.IsResetAsync();
        await Assert.ThrowsAsync<IOException>(() => server.HearAsync());
    }

    [Fact]
    public async Task The_state_handler_sees_raw_connections_too()
    {
        var edges = new ConcurrentQueue<(string Id, string Edge)>();
        await using var rig = new Rig(ConnectionMode.Automatic, way => way.StateHandler = (id, from, to) => edges.Enqueue((id, $"{from} to {to}")));
        var (server, client) = await rig.PairAsync();
        await client.SayAsync("work");
        _ = await server.HearAsync();
        server.MarkIdle();
        Assert.Equal(1, rig.Listener.CloseIdle());
        var (disowned, _) = await rig.PairAsync();
        disowned.Disown();
        Assert.Equal(
            [(server.Id, "New to Active"), (server.Id, "Active to Idle"), (server.Id, "Idle to Closed"), (disowned.Id, "New to Closed")], edges);
    }

    [Fact]
    public async Task In_the_lame_duck_it_goes_on_accepting_and_says_whom_it_will_close()
    {
        await using var rig = new Rig(ConnectionMode.Automatic, way => way.LameDuck = TimeSpan.FromMinutes(1));
        var (early, _) = await rig.PairAsync();
        rig.Graceful.Close();
        await Limits.Until(() => early.IsRetiring, "everybody retires");
        var (server, client) = await rig.PairAsync();
        await client.SayAsync("work");
        Assert.Equal("work", await server.HearAsync());
        Assert.True(server.IsRetiring);
        server.MarkIdle();
        await client.EndsAsync();
    }

    [Fact]
    public async Task Alone_it_has_a_way_out_of_its_own()
    {
        using var socket = Listening();
        await using var listener = new GracefulListener(socket, ConnectionMode.Automatic);
        var (server, client) = await PairAsync(listener);
        using var _ = client;
        await client.SayAsync("work");
        Assert.Equal("work", await server.HearAsync());
        using var patience = new CancellationTokenSource();
        var waiting = listener.DrainAsync(patience.Token);
        await Limits.Until(() => server.IsRetiring, "the drain has begun");
        await patience.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => waiting.Soon());
        server.MarkIdle();
        await listener.DrainAsync().Soon("The drain");
        await client.EndsAsync();
    }

    [Fact]
    public void A_foreign_way_out_is_refused()
    {
        using var socket = Listening();
        var error = Assert.Throws<ArgumentException>(() => new GracefulListener(socket, ConnectionMode.Manual, new Foreign()));
        Assert.Contains("+Foreign; allowed is the service of AddGraceful, or a GracefulLifecycle.", error.Message, StringComparison.Ordinal);
    }

    private static Socket Listening()
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        socket.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        socket.Listen();
        return socket;
    }

    private static async Task<(GracefulConnection Server, Socket Client)> PairAsync(GracefulListener listener)
    {
        var client = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        await client.ConnectAsync(listener.LocalEndPoint).Soon("The connection");
        return ((await listener.AcceptAsync().AsTask().Soon("The accept"))!, client);
    }

    private sealed class Foreign : IGraceful
    {
        public CancellationToken Stopping => default;

        public CancellationToken Aborting => default;

        public TimeSpan? TimeLeft => null;

        public IReadOnlyList<HeldWork> Work => [];

        public bool IsStopping => false;

        public StopReason? StopReason => null;

        public Task<ShutdownReport> Completion => throw new NotSupportedException();

        public IDisposable Begin(string name) => throw new NotSupportedException();

        public Task Run(string name, Func<CancellationToken, Task> work) => throw new NotSupportedException();

        public Task<T> Run<T>(string name, Func<CancellationToken, Task<T>> work) => throw new NotSupportedException();

        public void Guard(string name, Task component) => throw new NotSupportedException();

        public void OnStopping(
            string name, TimeSpan limit, Func<StopReason, CancellationToken, Task> hook, IEnumerable<string>? after = null, HookFailurePolicy onFailure = HookFailurePolicy.Continue) =>
            throw new NotSupportedException();

        public void OnStopping(
            string name, TimeSpan limit, Action<StopReason, CancellationToken> hook, IEnumerable<string>? after = null, HookFailurePolicy onFailure = HookFailurePolicy.Continue) =>
            throw new NotSupportedException();

        public void OnDrained(
            string name, TimeSpan limit, Func<StopReason, CancellationToken, Task> hook, IEnumerable<string>? after = null, HookFailurePolicy onFailure = HookFailurePolicy.Continue) =>
            throw new NotSupportedException();

        public void OnDrained(
            string name, TimeSpan limit, Action<StopReason, CancellationToken> hook, IEnumerable<string>? after = null, HookFailurePolicy onFailure = HookFailurePolicy.Continue) =>
            throw new NotSupportedException();

        public bool Close() => false;

        public bool Close(string by) => false;

        public Task<bool> CloseAsync(CancellationToken cancellationToken = default) => throw new NotSupportedException();

        public Task<bool> CloseAsync(string by, CancellationToken cancellationToken = default) => throw new NotSupportedException();

        public bool CloseNow(string? by = null) => false;

        public Task<bool> ResumeAsync() => throw new NotSupportedException();

        public Task<bool> DrillAsync() => throw new NotSupportedException();

        public Task<bool> DrillAsync(TimeSpan lameDuck) => throw new NotSupportedException();
    }
}
