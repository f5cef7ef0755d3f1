using Graceful.Engine;
using Microsoft.AspNetCore.Http;

namespace Graceful.Tests.Inside;

/// <summary>Since when a connection is quiet, where nobody but the engine knows.</summary>
public sealed class Silence : EngineOnItsOwn
{
    [Fact]
    public void A_connection_is_quiet_since_it_came_since_a_request_began_and_since_one_ended()
    {
        var before = CoarseClock.Now;
        var connection = Enter("one");
        Assert.InRange(connection.Edge, before, CoarseClock.Now);

        var came = NextTick(connection);
        connection.Began();
        Assert.InRange(connection.Edge, came, CoarseClock.Now);

        var began = NextTick(connection);
        connection.Finished(new HeldRequestFacts("one", new DefaultHttpContext(), began));
        Assert.InRange(connection.Edge, began, CoarseClock.Now);
    }

    [Fact]
    public void Its_silence_is_the_time_since_then_and_no_byte_waits()
    {
        var before = CoarseClock.Now;
        var (quietFor, pending) = Enter("one").Silence;
        Assert.InRange(quietFor, TimeSpan.Zero, CoarseClock.Since(before));
        Assert.False(pending);
    }

    [Fact]
    public void A_request_that_was_put_away_under_our_eyes_is_reported_without_its_words()
    {
        var context = new DefaultHttpContext();
        context.Uninitialize();
        var held = new HeldRequestFacts("one", context, CoarseClock.Now).ToHeld();
        Assert.Equal(("one", "?", "?"), (held.ConnectionId, held.Method, held.Path));
    }

    /// <summary>The coarse clock moves on within some milliseconds, so that the next edge is another.</summary>
    private static long NextTick(PlainConnection connection)
    {
        SpinWait.SpinUntil(() => CoarseClock.Now > connection.Edge);
        return CoarseClock.Now;
    }
}
