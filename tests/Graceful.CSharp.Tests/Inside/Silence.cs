using Graceful.Engine;
using Microsoft.AspNetCore.Http;

namespace Graceful.Tests.Inside;

/// <summary>Since when a connection is quiet, where nobody but the engine knows.</summary>
public sealed class Silence : EngineOnItsOwn
{
    [Fact]
    public void A_connection_is_quiet_since_it_came_since_a_request_began_and_since_one_ended()
    {
        var before = Environment.TickCount64;
        var connection = Enter("one");
        Assert.InRange(connection.Edge, before, Environment.TickCount64);

        var came = NextTick(connection);
        connection.Began();
        Assert.InRange(connection.Edge, came, Environment.TickCount64);

        var began = NextTick(connection);
        connection.Finished(new HeldRequestFacts("one", new DefaultHttpContext(), began));
        Assert.InRange(connection.Edge, began, Environment.TickCount64);
    }

    [Fact]
    public void Its_silence_is_the_time_since_then_and_no_byte_waits()
    {
        var before = Environment.TickCount64;
        var (quietFor, pending) = Enter("one").Silence;
        Assert.InRange(quietFor.TotalMilliseconds, 0, Environment.TickCount64 - before);
        Assert.False(pending);
    }

    [Fact]
    public void A_request_that_was_put_away_under_our_eyes_is_reported_without_its_words()
    {
        var context = new DefaultHttpContext();
        context.Uninitialize();
        var held = new HeldRequestFacts("one", context, Environment.TickCount64).ToHeld();
        Assert.Equal(("one", "?", "?"), (held.ConnectionId, held.Method, held.Path));
    }

    /// <summary>The coarse clock moves on within some milliseconds, so that the next edge is another.</summary>
    private static long NextTick(PlainConnection connection)
    {
        SpinWait.SpinUntil(() => Environment.TickCount64 > connection.Edge);
        return Environment.TickCount64;
    }
}
