using Graceful.Tests.Support;

namespace Graceful.Tests.Idle;

/// <summary>A lifetime of the user's own, which ends when nothing is busy.</summary>
public sealed class Trackers
{
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(15);
    private static readonly TimeSpan Minute = TimeSpan.FromMinutes(1);

    private readonly ManualTime _time = new();

    [Fact]
    public void Where_nothing_is_ever_busy_it_expires_at_its_limit()
    {
        using var tracker = new IdleTracker(Limit, _time);
        var deadline = _time.GetUtcNow() + Limit;
        Assert.Equal((deadline, IdleReason.None), (tracker.Deadline, tracker.Reason));
        _time.Advance(Limit - TimeSpan.FromTicks(1));
        Assert.False(tracker.Token.IsCancellationRequested);
        _time.Advance(TimeSpan.FromTicks(1));
        MustHaveExpired(tracker, deadline);
    }

    [Fact]
    public void While_anything_is_busy_it_has_no_deadline_and_afterwards_a_new_one()
    {
        using var tracker = new IdleTracker(Limit, _time);
        _time.Advance(5 * Minute);
        var (first, second) = (tracker.Begin(), tracker.Begin());
        Assert.Null(tracker.Deadline);
        _time.Advance(10 * Limit);
        first.Dispose();
        first.Dispose();
        Assert.Null(tracker.Deadline);
        _time.Advance(10 * Limit);
        Assert.Equal(IdleReason.None, tracker.Reason);
        second.Dispose();
        var deadline = _time.GetUtcNow() + Limit;
        Assert.Equal(deadline, tracker.Deadline);
        _time.Advance(Limit);
        MustHaveExpired(tracker, deadline);
    }

    [Fact]
    public void Whoever_begins_when_it_is_over_saves_nothing_and_harms_nothing()
    {
        using var tracker = new IdleTracker(Limit, _time);
        var deadline = tracker.Deadline!.Value;
        _time.Advance(Limit);
        using (tracker.Begin())
        {
            MustHaveExpired(tracker, deadline);
        }

        tracker.Track("late", ConnectionPhase.New);
        _time.Advance(Limit);
        MustHaveExpired(tracker, deadline);
    }

    [Fact]
    public void Connections_are_busy_while_they_are_new_or_active()
    {
        using var tracker = new IdleTracker(Limit, _time);
        var (one, other) = (new object(), new object());
        foreach (var phase in (ConnectionPhase[])[ConnectionPhase.New, ConnectionPhase.Active])
        {
            tracker.Track(one, phase);
            Assert.Null(tracker.Deadline);
        }

        tracker.Track(other, ConnectionPhase.Active);
        tracker.Track(one, ConnectionPhase.Idle);
        Assert.Null(tracker.Deadline);
        _time.Advance(Minute);
        tracker.Track(other, ConnectionPhase.Closed);
        var deadline = _time.GetUtcNow() + Limit;
        Assert.Equal(deadline, tracker.Deadline);

        // An idle one that closes is no news.
        _time.Advance(Minute);
        tracker.Track(one, ConnectionPhase.Closed);
        Assert.Equal(deadline, tracker.Deadline);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_hijacked_connection_is_busy_only_if_it_is_said_so(bool isBusy)
    {
        using var tracker = new IdleTracker(Limit, _time, hijackedIsBusy: isBusy);
        var connection = new object();
        tracker.Track(connection, ConnectionPhase.Active);
        _time.Advance(Minute);
        tracker.Track(connection, ConnectionPhase.Hijacked);
        Assert.Equal(isBusy ? null : _time.GetUtcNow() + Limit, tracker.Deadline);
        _time.Advance(Limit);
        Assert.Equal(!isBusy, tracker.Token.IsCancellationRequested);
        tracker.Track(connection, ConnectionPhase.Closed);
        _time.Advance(Limit);
        Assert.True(tracker.Token.IsCancellationRequested);
    }

    [Fact]
    public void Misuse_changes_nothing()
    {
        using var tracker = new IdleTracker(Limit, _time);
        var (known, unknown) = (new object(), new object());
        tracker.Track(unknown, ConnectionPhase.Closed);
        tracker.Track(unknown, ConnectionPhase.Idle);
        Assert.NotNull(tracker.Deadline);
        tracker.Track(known, ConnectionPhase.New);
        tracker.Track(known, ConnectionPhase.New);
        tracker.Track(unknown, ConnectionPhase.Closed);
        Assert.Null(tracker.Deadline);
        tracker.Track(known, ConnectionPhase.Closed);
        tracker.Track(known, ConnectionPhase.Closed);
        Assert.NotNull(tracker.Deadline);

        Assert.Throws<ArgumentNullException>(() => tracker.Track(null!, ConnectionPhase.New));
        var error = Assert.Throws<ArgumentOutOfRangeException>(() => tracker.Track(known, (ConnectionPhase)9));
        Assert.Contains("The phase is 9; allowed are New, Active, Idle, Hijacked, Closed.", error.Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentOutOfRangeException>(() => tracker.Track("id", (ConnectionPhase)9, ConnectionPhase.Active));
        Assert.Throws<ArgumentOutOfRangeException>(() => tracker.Track("id", ConnectionPhase.Active, (ConnectionPhase)9));
        Assert.Throws<ArgumentNullException>(() => tracker.Track(null!, ConnectionPhase.New, ConnectionPhase.Active));
        Assert.NotNull(tracker.Deadline);
    }

    [Theory]
    [InlineData(-1)]
    [InlineData(0)]
    [InlineData(9_999)]
    [InlineData((30 * TimeSpan.TicksPerDay) + 1)]
    public void A_limit_out_of_bounds_is_named_with_what_is_allowed(long ticks)
    {
        var error = Assert.Throws<ArgumentOutOfRangeException>(() => new IdleTracker(TimeSpan.FromTicks(ticks)));
        Assert.Contains($"The idle limit is {TimeSpan.FromTicks(ticks)}; allowed is between 00:00:00.0010000 and 30.00:00:00.", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Its_parent_ends_it_whether_it_is_busy_or_not(bool busy)
    {
        using var parent = new CancellationTokenSource();
        using var tracker = new IdleTracker(Limit, _time, parent: parent.Token);
        using var work = busy ? tracker.Begin() : null;
        parent.Cancel();
        Assert.True(tracker.Token.IsCancellationRequested);
        Assert.Equal((null, IdleReason.ParentCancelled), (tracker.Deadline, tracker.Reason));
        Assert.Equal("ended by its parent", tracker.ToString());
        Assert.Null(_time.NextDue);
    }

    [Fact]
    public void A_parent_that_has_fired_ends_it_at_once_and_one_that_fires_later_changes_nothing()
    {
        using var early = new IdleTracker(Limit, _time, parent: new CancellationToken(canceled: true));
        Assert.Equal((IdleReason.ParentCancelled, true), (early.Reason, early.Token.IsCancellationRequested));

        using var parent = new CancellationTokenSource();
        using var tracker = new IdleTracker(Limit, _time, parent: parent.Token);
        var deadline = tracker.Deadline!.Value;
        _time.Advance(Limit);
        parent.Cancel();
        MustHaveExpired(tracker, deadline);
    }

    [Fact]
    public void Disposed_it_never_fires_and_wakes_nobody()
    {
        using var parent = new CancellationTokenSource();
        var tracker = new IdleTracker(Limit, _time, parent: parent.Token);
        var work = tracker.Begin();
        tracker.Dispose();
        tracker.Dispose();
        work.Dispose();
        tracker.Track("one", ConnectionPhase.Closed);
        Assert.Null(_time.NextDue);
        _time.Advance(2 * Limit);
        parent.Cancel();
        Assert.Equal((false, IdleReason.None), (tracker.Token.IsCancellationRequested, tracker.Reason));
    }

    [Fact]
    public void It_says_in_words_what_it_waits_for()
    {
        using var tracker = new IdleTracker(Limit, _time);
        Assert.Equal("idle, until 1970-01-01 00:15:00Z at most", tracker.ToString());
        using (tracker.Begin())
        {
            using var other = tracker.Begin();
            Assert.Equal("busy with 2, then idle for 00:15:00 at most", tracker.ToString());
        }

        _time.Advance(Limit);
        Assert.Equal("expired at 1970-01-01 00:15:00Z, idle for 00:15:00", tracker.ToString());
    }

    [Fact]
    public void Told_of_edges_in_any_order_it_is_quiet_after_the_last()
    {
        ConnectionPhase[][] lives =
        [
            [ConnectionPhase.New, ConnectionPhase.Active, ConnectionPhase.Closed],
            [ConnectionPhase.New, ConnectionPhase.Closed],
            [ConnectionPhase.New, ConnectionPhase.Active, ConnectionPhase.Idle, ConnectionPhase.Active, ConnectionPhase.Idle, ConnectionPhase.Closed],
            [ConnectionPhase.New, ConnectionPhase.Active, ConnectionPhase.Idle, ConnectionPhase.Active, ConnectionPhase.Hijacked, ConnectionPhase.Closed],
        ];
        foreach (var hijackedIsBusy in (bool[])[false, true])
        {
            foreach (var life in lives)
            {
                foreach (var edges in Permutations([.. life.Zip(life.Skip(1))]))
                {
                    using var tracker = new IdleTracker(Limit, _time, hijackedIsBusy);
                    foreach (var (from, to) in edges)
                    {
                        tracker.Track("one", from, to);
                    }

                    // The same id again is another connection.
                    Assert.True(tracker.Deadline is not null, $"{string.Join(", ", edges)}: {tracker}");
                    tracker.Track("one", ConnectionPhase.New, ConnectionPhase.Active);
                    Assert.True(tracker.Deadline is null, $"{string.Join(", ", edges)}: {tracker}");
                }
            }
        }
    }

    [Fact]
    public void The_end_of_a_request_that_is_heard_late_takes_nothing_from_the_next()
    {
        using var tracker = new IdleTracker(Limit, _time);
        tracker.Track("one", ConnectionPhase.New, ConnectionPhase.Active);
        tracker.Track("one", ConnectionPhase.Idle, ConnectionPhase.Active);
        tracker.Track("one", ConnectionPhase.Active, ConnectionPhase.Idle);
        Assert.Null(tracker.Deadline);
        tracker.Track("one", ConnectionPhase.Active, ConnectionPhase.Idle);
        Assert.NotNull(tracker.Deadline);
    }

    [Fact]
    public void A_hijacked_connection_is_busy_unless_told_otherwise()
    {
        using var tracker = new IdleTracker(Limit, _time);
        tracker.Track(this, ConnectionPhase.Hijacked);
        Assert.Null(tracker.Deadline);
    }

    [Fact]
    public async Task Told_by_a_server_whose_connections_change_it_ends_when_they_are_quiet()
    {
        using var tracker = new IdleTracker(Limit, _time);
        await using var app = await TestApp.StartAsync(options => options.StateHandler = tracker.Track);
        using var client = await RawClient.ConnectAsync(app.Port);
        await client.SendGetAsync("/door");
        await app.Door.Reached();
        Assert.Null(tracker.Deadline);
        app.Door.Open();
        Assert.Equal(200, (await client.ReadAsync()).Status);
        await Limits.Until(() => tracker.Deadline is not null, "the connection is idle");
        _time.Advance(Limit);
        Assert.Equal(IdleReason.Expired, tracker.Reason);
    }

    [Fact]
    public async Task On_the_systems_clock_with_many_threads_it_ends_when_the_last_one_is_quiet()
    {
        using var tracker = new IdleTracker(TimeSpan.FromMilliseconds(50));
        var fired = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var last = tracker.Begin();
        await using var registration = tracker.Token.Register(fired.SetResult);
        await Task.WhenAll(Enumerable.Range(0, 4).Select(thread => Task.Run(() =>
        {
            for (var i = 0; i < 20_000; i++)
            {
                using var work = tracker.Begin();
                tracker.Track(thread, i % 2 == 0 ? ConnectionPhase.Active : ConnectionPhase.Closed);
            }

            tracker.Track(thread, ConnectionPhase.Closed);
        }))).Soon();
        Assert.Null(tracker.Deadline);
        last.Dispose();
        await fired.Task.Soon("The end");
        Assert.Equal(IdleReason.Expired, tracker.Reason);
    }

    private static IEnumerable<T[]> Permutations<T>(T[] of) => of.Length == 0
        ? [[]]
        : Enumerable.Range(0, of.Length).SelectMany(first =>
            Permutations<T>([.. of.Where((_, i) => i != first)]).Select(rest => (T[])[of[first], .. rest]));

    private static void MustHaveExpired(IdleTracker tracker, DateTimeOffset at)
    {
        Assert.True(tracker.Token.IsCancellationRequested);
        Assert.Equal((at, IdleReason.Expired), (tracker.Deadline, tracker.Reason));
    }
}
