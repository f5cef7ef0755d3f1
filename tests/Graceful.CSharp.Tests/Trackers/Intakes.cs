using System.Net;
using System.Net.Sockets;
using Graceful.Engine;
using Graceful.Tests.Support;
using Graceful.Tracking;

namespace Graceful.Tests.Trackers;

/// <summary>The accept loop of a server that is not ours, as the engine sees it.</summary>
public sealed class Intakes
{
    [Fact]
    public async Task A_pause_is_over_when_the_server_says_so_and_accepting_goes_on_after_it()
    {
        await using var life = new Life();
        var steps = new List<string>();
        var paused = new TaskCompletionSource();
        var intake = new ForeignIntake(EngineOf(life), "one", _ => Task.CompletedTask, () => { })
        {
            Pause = async _ =>
            {
                await paused.Task;
                steps.Add("paused");
            },
            GoOn = () => steps.Add("goes on"),
        };
        var first = intake.PauseAsync();
        intake.Resume();
        var second = intake.PauseAsync();
        await Quiet.LessAsync();
        Assert.False(first.IsCompleted || second.IsCompleted);
        paused.SetResult();
        await second.Soon("The second pause");
        Assert.True(first.IsCompleted);
        Assert.Equal(["paused", "goes on", "paused"], steps);
        intake.Resume();
        Assert.Equal("one", (await intake.StopAsync(successorHasIt: false)).Address);
        Assert.Equal(4, steps.Count);
    }

    [Fact]
    public async Task Without_a_way_to_pause_nobody_waits_for_one()
    {
        await using var life = new Life();
        var intake = new ForeignIntake(EngineOf(life), "one", _ => Task.CompletedTask, () => { });
        Assert.True(intake.PauseAsync().IsCompletedSuccessfully);
        intake.Resume();
        Assert.False(intake.IsAnybodyWaiting);
    }

    [Fact]
    public async Task A_pause_that_fails_or_hangs_is_over_and_named()
    {
        await using var life = new Life();
        var intake = new ForeignIntake(EngineOf(life), "one", _ => Task.CompletedTask, () => { })
        {
            Pause = _ => throw new InvalidOperationException("no pause"),
            GoOn = () => throw new InvalidOperationException("no way on"),
        };
        Assert.False(intake.IsAnybodyWaiting);
        await intake.PauseAsync().Soon("The pause");
        Assert.True(intake.IsAnybodyWaiting);
        intake.Resume();
        await life.Log.Until("PauseAccepting of the connection tracker 'one' failed");
        await life.Log.Until("ResumeAccepting of the connection tracker 'one' failed");
        var stuck = new ForeignIntake(EngineOf(life), "two", _ => Task.CompletedTask, () => { }) { Pause = _ => Task.Delay(Timeout.Infinite, CancellationToken.None), GoOn = () => { } };
        await stuck.PauseAsync().Soon("The pause");
        await life.Log.Until("PauseAccepting of the connection tracker 'two' did not end within 5.00 s");
    }

    [Fact]
    public async Task Who_waits_in_the_queue_is_seen_there()
    {
        await using var life = new Life();
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        var intake = new ForeignIntake(EngineOf(life), "one", _ => Task.CompletedTask, () => { }) { ListeningSocket = socket };
        socket.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        socket.Listen();
        Assert.False(intake.IsAnybodyWaiting);
        using var client = await RawClient.ConnectAsync(socket.LocalEndPoint!);
        await Limits.Until(() => intake.IsAnybodyWaiting, "somebody waits");
        using var accepted = await socket.AcceptAsync(TestContext.Current.CancellationToken);
        Assert.False(intake.IsAnybodyWaiting);
        socket.Dispose();
        Assert.False(intake.IsAnybodyWaiting);
    }

    [Fact]
    public async Task One_whose_end_is_said_before_it_is_inside_leaves_nobody_behind()
    {
        await using var life = new Life(options => options.GracePeriod = TimeSpan.FromSeconds(2));
        var one = new ForeignConnection<object>(
            EngineOf(life), new() { StopAccepting = _ => Task.CompletedTask, Close = _ => { } }, new object(), null, "one");
        Assert.False(one.TryLeave());
        Assert.False(one.ComeIn());
        Assert.Equal(0, EngineOf(life).Table.Count);
        Assert.Equal(0, (await life.LeaveAsync()).ExitCode);
    }

    [Fact]
    public async Task Opened_and_closed_at_the_same_moment_leaves_nobody_behind()
    {
        await using var life = new Life(options => options.GracePeriod = TimeSpan.FromSeconds(5));
        using var tracker = new ConnectionTracker<object>(life.Graceful, new() { StopAccepting = _ => Task.CompletedTask, Close = _ => { } });
        using var both = new Barrier(2);
        const int Rounds = 20_000;
        var connections = Enumerable.Range(0, Rounds).Select(_ => new object()).ToList();
        var closing = Task.Run(() => connections.ForEach(one =>
        {
            both.SignalAndWait();
            tracker.Closed(one);
        }));
        await Task.Run(() => connections.ForEach(one =>
        {
            both.SignalAndWait();
            tracker.Opened(one);
        })).Soon("The one thread");
        await closing.Soon("The other thread");
        connections.ForEach(tracker.Closed);
        Assert.Equal((0, 0), (tracker.Count, EngineOf(life).Table.Count));
        Assert.Equal(0, (await life.LeaveAsync()).ExitCode);
        Assert.True(tracker.Drained.IsCompleted);
    }

    private static LifecycleEngine EngineOf(Life life) => ((IEngineOwner)life.Graceful).Engine;
}
