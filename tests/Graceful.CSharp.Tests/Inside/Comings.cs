using Graceful.Core;
using Graceful.Tests.Support;

namespace Graceful.Tests.Inside;

/// <summary>Who comes into the table, who leaves it, and who is refused.</summary>
public sealed class Comings : EngineOnItsOwn
{
    [Fact]
    public void Whoever_came_and_went_leaves_no_trace_in_the_table()
    {
        var one = Enter("one");
        var other = Enter("other");
        Assert.Equal(["one", "other"], InTable().Order());
        one.Apply(ConnectionEvent.Ended);
        Assert.Equal(["other"], InTable());
        other.Apply(ConnectionEvent.Ended);
        Assert.Empty(InTable());
    }

    [Fact]
    public async Task Whoever_comes_after_the_force_is_refused_and_leaves_no_trace()
    {
        var inside = Enter("inside");
        Engine.StartedUp();
        Stop();
        Engine.Post(Event.NewForceRequested(ForceCause.HostTimedOut));
        await Engine.Exited.Soon("The end of the way out");
        Assert.Equal(1, inside.Resets);
        var late = new PlainConnection(Engine, "late");
        Assert.False(late.TryEnter());
        Assert.Equal(["inside"], InTable());
        Assert.False(late.IsRetiring);
    }

    [Fact]
    public async Task Whoever_comes_while_we_leave_retires_at_once()
    {
        var inside = Enter("inside");
        Engine.StartedUp();
        Stop();
        await Limits.Until(() => inside.Sweeps > 0, "everybody was told");
        Assert.True(Enter("late").IsRetiring);
    }

    [Fact]
    public async Task A_connection_that_fails_keeps_nobody_from_the_notice()
    {
        // Whatever the order of the table is, somebody comes after a connection that fails.
        var all = Enumerable.Range(0, 5)
            .Select(i => Enter($"c{i}", failure: new InvalidOperationException("as planned"))).ToList();
        all.ForEach(connection => connection.Began());
        Engine.StartedUp();
        Stop();
        await Limits.Until(() => all.All(connection => connection.IsRetiring && connection.Sweeps > 0), "everybody was told");
        for (var i = 0; i < 5; i++)
        {
            await Log.Until($"A callback failed when connection c{i} was closed");
        }
    }
}
