using System.Collections.Concurrent;
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
    public async Task A_pause_that_ends_after_its_limit_is_resumed_after_its_end()
    {
        await using var life = new Life();
        var steps = new ConcurrentQueue<string>();
        var paused = new TaskCompletionSource();
        var intake = Slow(life, paused.Task, steps);
        await intake.PauseAsync().Soon("The pause");
        Assert.True(intake.IsAnybodyWaiting);
        intake.Resume();
        await Quiet.LessAsync();
        Assert.Empty(steps);
        paused.SetResult();
        await Limits.Until(() => steps.Count == 2, "accepting goes on");
        Assert.Equal(["paused", "goes on"], steps);
        await intake.StopAsync(successorHasIt: false).Soon("The stop");
        Assert.Equal(["paused", "goes on", "stopped"], steps);
    }

    [Fact]
    public async Task Accepting_stops_after_a_pause_that_is_late_but_not_never()
    {
        await using var life = new Life();
        var (steps, never) = (new ConcurrentQueue<string>(), new ConcurrentQueue<string>());
        var paused = new TaskCompletionSource();
        var (intake, stuck) = (Slow(life, paused.Task, steps), Slow(life, Task.Delay(Timeout.Infinite, CancellationToken.None), never));
        await Task.WhenAll(intake.PauseAsync(), stuck.PauseAsync()).Soon("The pauses");
        var stopping = Task.WhenAll(intake.StopAsync(successorHasIt: false), stuck.StopAsync(successorHasIt: false));
        await Quiet.LessAsync();
        Assert.Empty(steps);
        paused.SetResult();
        await stopping.Soon("The stops");
        Assert.Equal(["paused", "stopped"], steps);
        Assert.Equal(["stopped"], never);
    }

    [Fact]
    public async Task Accepting_goes_on_only_where_it_was_paused()
    {
        await using var life = new Life();
        var steps = new ConcurrentQueue<string>();
        var intake = Slow(life, Task.CompletedTask, steps);
        intake.Resume();
        await intake.PauseAsync().Soon("The pause");
        intake.Resume();
        intake.Resume();
        await intake.PauseAsync().Soon("The pause");
        await intake.StopAsync(successorHasIt: false).Soon("The stop");
        intake.Resume();
        await Quiet.LessAsync();
        Assert.Equal(["paused", "goes on", "paused", "stopped"], steps);
    }

    [Fact]
    public async Task An_idle_exit_stops_what_is_paused_and_who_came_meanwhile_is_served()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        var (steps, clients) = (new ConcurrentQueue<string>(), new List<RawClient>());
        await using var life = new Life(options =>
        {
            options.IdleLimit = TimeSpan.FromMilliseconds(200);
            options.OnStopping("somebody comes", Limits.Hang, async (_, _) => clients.Add(await RawClient.ConnectAsync(listener.LocalEndpoint)));
        });
        using var tracker = new ConnectionTracker<TcpClient>(life.Graceful, new()
        {
            PauseAccepting = _ => Step("paused"),
            ResumeAccepting = () => Step("goes on"),
            StopAccepting = async aborting =>
            {
                await Step("stopped");
                while (listener.Pending())
                {
                    var one = await listener.AcceptTcpClientAsync(aborting);
                    Assert.True(Tracker!.Opened(one));
                }
            },
            Close = one =>
            {
                one.Close();
                Tracker!.Closed(one);
            },
            ListeningSocket = listener.Server,
        });
        Tracker = tracker;

        // Somebody who waits when it looks once more calls it back.
        using (await RawClient.ConnectAsync(listener.LocalEndpoint))
        {
            life.Graceful.Ready();
            await Limits.Until(() => steps.Count >= 2, "accepting goes on");
            using var accepted = await listener.AcceptTcpClientAsync(TestContext.Current.CancellationToken);
        }

        var report = await life.ReportAsync();
        Assert.Equal((StopCause.Idle, 0, 1), (report.Reason.Cause, report.ExitCode, (int)report.ConnectionsClosed));
        Assert.Equal(["paused", "goes on"], steps.Take(2));
        Assert.Equal(["goes on", "paused", "stopped"], steps.TakeLast(3));
        using var client = Assert.Single(clients);
        Assert.Equal(Ending.Fin, await client.EndAsync());

        Task Step(string what)
        {
            steps.Enqueue(what);
            return Task.CompletedTask;
        }
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
        await life.Log.Until("PauseAccepting of the connection tracker 'two' did not end within 2.00 s");
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

    private ConnectionTracker<TcpClient>? Tracker { get; set; }

    /// <summary>One whose pause ends when it is let.</summary>
    private static ForeignIntake Slow(Life life, Task paused, ConcurrentQueue<string> steps) => new(
        EngineOf(life),
        "slow",
        _ =>
        {
            steps.Enqueue("stopped");
            return Task.CompletedTask;
        },
        () => { })
    {
        Pause = async _ =>
        {
            await paused;
            steps.Enqueue("paused");
        },
        GoOn = () => steps.Enqueue("goes on"),
    };

    private static LifecycleEngine EngineOf(Life life) => ((IEngineOwner)life.Graceful).Engine;
}
