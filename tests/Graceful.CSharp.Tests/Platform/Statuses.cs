using Graceful.Core;
using Graceful.Engine;
using Graceful.Platform;
using Graceful.Tests.Inside;
using Graceful.Tests.Support;

namespace Graceful.Tests.Platform;

/// <summary>What is waited for, as the service manager hears it.</summary>
public sealed class Statuses : EngineOnItsOwn
{
    private readonly Listener _manager = new();

    [Fact]
    public async Task Connections_requests_and_other_work_are_counted_and_the_oldest_work_is_named()
    {
        using var listener = _manager;
        using var service = Find(new GracefulOptions { TimeProvider = Time });
        Enter("idle");
        var busy = Enter("busy");
        busy.Began();
        busy.Began();
        using var import = new WorkToken(Engine, "import").Enter();
        await Limits.Until(() => import.Held.Age > TimeSpan.FromMilliseconds(100), "the import is the older one");
        using var mail = new WorkToken(Engine, "mail").Enter();
        Leave();
        await listener.Hears(
            "STATUS=Leaving after request of the application: draining, 2 connections with 2 requests in flight, "
            + "2 pieces of work, the oldest 'import', at most 3600 s more");
        import.Dispose();
        busy.Apply(ConnectionEvent.Ended);
        await LookAsync();
        await listener.Hears(
            "STATUS=Leaving after request of the application: draining, 1 connection with 0 requests in flight, "
            + "1 piece of work, the oldest 'mail', at most 3599 s more");
    }

    [Fact]
    public async Task A_name_with_line_breaks_says_nothing_but_a_name()
    {
        using var listener = _manager;
        using var service = Find(new GracefulOptions { TimeProvider = Time });
        using var work = new WorkToken(Engine, "a\nREADY=1\r\nb").Enter();
        Leave();
        await listener.Hears("STATUS=Leaving after request of the application: draining, 0 connections with 0 requests in flight, 1 piece of work, the oldest 'a READY=1  b'");
        Assert.Equal(0, listener.Count("READY=1"));
    }

    [Fact]
    public async Task A_name_without_end_is_cut_and_the_rest_is_said()
    {
        using var listener = _manager;
        using var service = Find(new GracefulOptions { TimeProvider = Time });
        using var work = new WorkToken(Engine, new string('x', 1_000_000)).Enter();
        Leave();
        await listener.Hears("STATUS=Leaving after request of the application: draining");
        Assert.All(listener.Lines, line => Assert.InRange(line.Length, 0, 500));
        Assert.NotEmpty(listener.Extensions);
    }

    [Fact]
    public async Task What_has_not_changed_is_not_said_again()
    {
        using var listener = _manager;
        using var service = Find(new GracefulOptions { TimeProvider = Time }, Timeout.InfiniteTimeSpan);
        using var work = new WorkToken(Engine, "work").Enter();
        Leave();
        await listener.Hears("STATUS=Leaving after request of the application: draining");
        await Limits.Until(() => Time.NextDue <= TimeSpan.FromSeconds(1), "the next look is due");
        listener.Forget();
        service.Execute();
        Assert.Empty(listener.Datagrams);
    }

    [Fact]
    public void What_is_owed_at_the_very_end_is_said()
    {
        using var listener = _manager;
        var service = Find(new GracefulOptions { TimeProvider = Time });
        service.Started();
        service.Dispose();
        Assert.Equal(1, listener.Count("READY=1"));
    }

    private ServiceManager Find(GracefulOptions options, TimeSpan? limit = null) => ServiceManager.Find(
        Engine,
        options,
        new ServiceEnvironment(_manager.Address, null, null, 1),
        () => limit ?? TimeSpan.FromMinutes(1),
        lifetimeTells: false,
        Log.CreateLogger("Graceful"))!;

    private void Leave()
    {
        Engine.StartedUp();
        Stop();
    }

    private async Task LookAsync()
    {
        await Limits.Until(() => Time.NextDue <= TimeSpan.FromSeconds(1), "the next look is due");
        Time.Advance(TimeSpan.FromSeconds(1));
    }
}
