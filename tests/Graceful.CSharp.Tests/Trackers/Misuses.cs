using Graceful.Tests.Support;
using Microsoft.Extensions.Logging;

namespace Graceful.Tests.Trackers;

/// <summary>What a server says wrongly changes nothing, and each mistake is reported once.</summary>
public sealed class Misuses
{
    private const string NotOpen = "is not open: it was never opened, was refused, or is closed already";

    [Theory]
    [InlineData(nameof(ConnectionTracker<>.Active))]
    [InlineData(nameof(ConnectionTracker<>.Idle))]
    [InlineData(nameof(ConnectionTracker<>.Hijacked))]
    [InlineData(nameof(ConnectionTracker<>.Closed))]
    public async Task Of_a_connection_that_is_not_open(string member)
    {
        await using var life = new Life();
        using var tracker = Tracker(life);
        var open = new object();
        Assert.True(tracker.Opened(open));
        for (var time = 0; time < 3; time++)
        {
            // Never opened, and closed already.
            var gone = new object();
            Assert.False(Say(tracker, member, gone));
            Assert.True(tracker.Opened(gone));
            tracker.Closed(gone);
            Assert.False(Say(tracker, member, gone));
        }

        Assert.Equal((1, 1), (tracker.Count, tracker.Connections[ConnectionPhase.New]));
        await CleanAsync(life, tracker, open);
        Once(life, $"{member} was called for a connection that {NotOpen}, which changes nothing.");
    }

    [Fact]
    public async Task Opened_twice_it_is_open_once()
    {
        await using var life = new Life();
        using var tracker = Tracker(life);
        var open = new object();
        Assert.True(tracker.Opened(open));
        Assert.True(tracker.Active(open));
        Assert.True(tracker.Opened(open));
        Assert.True(tracker.Opened(open));
        Assert.Equal((1, 1), (tracker.Count, tracker.Connections[ConnectionPhase.Active]));
        await CleanAsync(life, tracker, open);
        Once(life, "Opened was called for a connection that is open already, which changes nothing.");
    }

    [Theory]
    [InlineData(nameof(ConnectionTracker<>.Active))]
    [InlineData(nameof(ConnectionTracker<>.Idle))]
    [InlineData(nameof(ConnectionTracker<>.Hijacked))]
    public async Task Hijacked_it_stays_hijacked(string member)
    {
        await using var life = new Life();
        using var tracker = Tracker(life);
        var open = new object();
        Assert.True(tracker.Opened(open));
        Assert.True(tracker.Hijacked(open));
        Assert.True(Say(tracker, member, open));
        Assert.True(Say(tracker, member, open));
        Assert.Equal(1, tracker.Connections[ConnectionPhase.Hijacked]);
        await CleanAsync(life, tracker, open);
        Once(life, $"{member} was called for a connection that is hijacked, which changes nothing.");
    }

    [Fact]
    public async Task What_is_said_again_is_no_mistake_and_no_second_request()
    {
        await using var life = new Life();
        using var tracker = Tracker(life);
        var open = new object();
        Assert.True(tracker.Opened(open));
        Assert.True(tracker.Idle(open));
        Assert.Equal(1, tracker.Connections[ConnectionPhase.New]);
        Assert.True(tracker.Active(open) && tracker.Active(open) && tracker.Active(open));
        Assert.Equal(1, tracker.Connections[ConnectionPhase.Active]);
        Assert.True(tracker.Idle(open) && tracker.Idle(open));
        Assert.Equal(1, tracker.Connections[ConnectionPhase.Idle]);
        await CleanAsync(life, tracker, open);
        Assert.DoesNotContain(life.Log.Entries, entry => entry.Level >= LogLevel.Warning);
    }

    [Fact]
    public async Task What_comes_when_it_was_closed_at_that_moment_is_no_mistake()
    {
        await using var life = new Life();
        using var tracker = Tracker(life);
        var open = new object();
        Assert.True(tracker.Opened(open) && tracker.Active(open));
        await life.BeginDrainAsync();
        Assert.False(tracker.Idle(open));
        Assert.False(tracker.Active(open));
        Assert.False(tracker.Idle(open));
        Assert.False(tracker.Hijacked(open));
        Assert.Equal(1, tracker.Connections[ConnectionPhase.Closed]);
        tracker.Closed(open);
        Assert.Equal(0, (await life.ReportAsync()).ExitCode);
        Assert.DoesNotContain(life.Log.Entries, entry => entry.Level >= LogLevel.Warning);
    }

    [Fact]
    public async Task Connections_are_known_by_who_they_are_not_by_what_they_equal()
    {
        await using var life = new Life();
        using var tracker = new ConnectionTracker<string>(life.Graceful, new() { StopAccepting = _ => Task.CompletedTask, Close = _ => { } });
        var (one, other) = (new string('x', 1), new string('x', 1));
        Assert.True(tracker.Opened(one) && tracker.Opened(other));
        Assert.Equal(2, tracker.Count);
        tracker.Closed(one);
        tracker.Closed(other);
        Assert.DoesNotContain(life.Log.Entries, entry => entry.Level >= LogLevel.Warning);
    }

    [Fact]
    public async Task One_method_for_all_phases_does_what_the_others_do()
    {
        await using var life = new Life();
        using var tracker = Tracker(life);
        var open = new object();
        Assert.True(tracker.Changed(open, ConnectionPhase.New));
        Assert.True(tracker.Changed(open, ConnectionPhase.Active));
        Assert.Equal(1, tracker.Connections[ConnectionPhase.Active]);
        Assert.True(tracker.Changed(open, ConnectionPhase.Idle));
        Assert.Equal(1, tracker.Connections[ConnectionPhase.Idle]);
        Assert.True(tracker.Changed(open, ConnectionPhase.Hijacked));
        Assert.Equal(1, tracker.Connections[ConnectionPhase.Hijacked]);
        Assert.False(tracker.Changed(open, ConnectionPhase.Closed));
        Assert.Equal(0, tracker.Count);
        var wrong = Assert.Throws<ArgumentOutOfRangeException>(() => tracker.Changed(open, (ConnectionPhase)9));
        Assert.Contains("The phase is 9; allowed is one of New, Active, Idle, Hijacked, Closed.", wrong.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task No_connection_is_an_error()
    {
        await using var life = new Life();
        using var tracker = Tracker(life);
        Assert.Throws<ArgumentNullException>(() => tracker.Opened(null!));
        Assert.Throws<ArgumentNullException>(() => tracker.Active(null!));
        Assert.Throws<ArgumentNullException>(() => tracker.Idle(null!));
        Assert.Throws<ArgumentNullException>(() => tracker.Hijacked(null!));
        Assert.Throws<ArgumentNullException>(() => tracker.Closed(null!));
    }

    [Fact]
    public async Task Options_that_make_no_sense_are_named_all_at_once()
    {
        await using var life = new Life();
        var wrong = Assert.Throws<ArgumentException>(() => new ConnectionTracker<object>(
            life.Graceful, new() { StopAccepting = null!, Close = null!, PauseAccepting = _ => Task.CompletedTask, Name = " " }));
        Assert.Contains("StopAccepting is null; allowed is any function.", wrong.Message, StringComparison.Ordinal);
        Assert.Contains("Close is null; allowed is any function.", wrong.Message, StringComparison.Ordinal);
        Assert.Contains("PauseAccepting is given without ResumeAccepting; allowed are both or none.", wrong.Message, StringComparison.Ordinal);
        Assert.Contains("Name is ' '; allowed is any text that is not blank.", wrong.Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentNullException>(() => new ConnectionTracker<object>(null!, new() { StopAccepting = _ => Task.CompletedTask, Close = _ => { } }));
        Assert.Throws<ArgumentNullException>(() => new ConnectionTracker<object>(life.Graceful, null!));
    }

    [Fact]
    public void An_IGraceful_of_somebody_elses_is_refused_by_name()
    {
        var graceful = System.Reflection.DispatchProxy.Create<IGraceful, Nobody>();
        var wrong = Assert.Throws<ArgumentException>(() => new ConnectionTracker<object>(graceful, new() { StopAccepting = _ => Task.CompletedTask, Close = _ => { } }));
        Assert.Contains("allowed is the service of AddGraceful, or a GracefulLifecycle.", wrong.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Callbacks_that_fail_are_named_and_the_way_out_goes_on()
    {
        await using var life = new Life(options => options.GracePeriod = TimeSpan.FromSeconds(1));
        var tracker = new ConnectionTracker<object>(life.Graceful, new()
        {
            StopAccepting = _ => throw new InvalidOperationException("no accept loop"),
            Close = _ => throw new InvalidOperationException("no close"),
            Ask = _ => throw new InvalidOperationException("no ask"),
            Abort = _ => throw new InvalidOperationException("no abort"),
            SocketOf = _ => throw new InvalidOperationException("no socket"),
            IdOf = _ => throw new InvalidOperationException("no name"),
        });
        var (quiet, active, stuck) = (new object(), new object(), new object());
        Assert.True(tracker.Opened(quiet) && tracker.Opened(active) && tracker.Active(active) && tracker.Opened(stuck) && tracker.Active(stuck));
        await life.BeginDrainAsync();
        await life.Log.Until("A callback failed when connection tracker-1 was closed");
        Assert.False(tracker.Idle(active));
        tracker.Closed(active);
        var report = await life.ReportAsync();
        Assert.Equal(2, report.ExitCode);
        Assert.Equal("tracker: accepting stopped, 0 accepted in the last call (StopAccepting failed: no accept loop)", Assert.Single(report.Listeners));
        foreach (var text in new[] { "no accept loop", "no close", "no ask", "no abort", "no socket", "no name" })
        {
            await Limits.Until(() => life.Log.Entries.Any(entry => entry.Error?.Message == text), text);
        }

        Assert.Single(life.Log.Entries, entry => entry.Text == "SocketOf of the connection tracker 'tracker' failed");
        Assert.Single(life.Log.Entries, entry => entry.Text == "IdOf of the connection tracker 'tracker' failed");
        tracker.Closed(quiet);
        tracker.Closed(stuck);
        await tracker.Drained.Soon("The end of the last connection");
    }

    [Fact]
    public async Task An_accept_loop_that_does_not_end_is_waited_for_five_seconds_and_named()
    {
        await using var life = new Life();
        using var tracker = new ConnectionTracker<object>(life.Graceful, new() { StopAccepting = _ => Task.Delay(Timeout.Infinite, CancellationToken.None), Close = _ => { } });
        var report = await life.LeaveAsync();
        Assert.Equal(0, report.ExitCode);
        Assert.InRange(report.Duration.TotalSeconds, 4.9, 15);
        Assert.Contains("(StopAccepting did not end within 5.00 s)", Assert.Single(report.Listeners), StringComparison.Ordinal);
        await life.Log.Until("StopAccepting of the connection tracker 'tracker' did not end within 5.00 s");
    }

    private static ConnectionTracker<object> Tracker(Life life) => new(life.Graceful, new() { StopAccepting = _ => Task.CompletedTask, Close = _ => { } });

    private static bool Say(ConnectionTracker<object> tracker, string member, object connection)
    {
        switch (member)
        {
            case nameof(tracker.Active):
                return tracker.Active(connection);
            case nameof(tracker.Idle):
                return tracker.Idle(connection);
            case nameof(tracker.Hijacked):
                return tracker.Hijacked(connection);
            default:
                tracker.Closed(connection);
                return false;
        }
    }

    /// <summary>Once, although it was said more than once; and nothing else. With the report the log is written.</summary>
    private static void Once(Life life, string text)
    {
        var entry = Assert.Single(life.Log.Entries, entry => entry.Level >= LogLevel.Warning);
        Assert.Equal((LogLevel.Warning, 60), (entry.Level, entry.Id.Id));
        Assert.Contains(text, entry.Text, StringComparison.Ordinal);
        Assert.Contains("The connection tracker 'tracker' says this once", entry.Text, StringComparison.Ordinal);
    }

    /// <summary>The one connection that is open is the only one that is waited for.</summary>
    private static async Task CleanAsync(Life life, ConnectionTracker<object> tracker, object open)
    {
        Assert.False(life.Graceful.Completion.IsCompleted);
        tracker.Closed(open);
        Assert.Equal(0, tracker.Count);
        Assert.Equal(0, (await life.LeaveAsync()).ExitCode);
        await tracker.Drained.Soon("The end of the last connection");
    }

#pragma warning disable CA1852 // A proxy derives from it.
    public class Nobody : System.Reflection.DispatchProxy
#pragma warning restore CA1852
    {
        protected override object? Invoke(System.Reflection.MethodInfo? targetMethod, object?[]? args) => null;
    }
}
