using Graceful.Tests.Support;
using Microsoft.Extensions.Logging;

namespace Graceful.Tests.Trackers;

/// <summary>Many threads feed one tracker while the stop comes: nobody is lost, and everybody-left comes once, when it is true.</summary>
public sealed class Hammered
{
    private const int Threads = 6;
    private const int Rounds = 15;

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public async Task Whoever_was_let_in_is_told_to_go_at_most_once_and_waited_for(int seed)
    {
        var random = new Random(seed);
        var (letIn, closed) = (0, 0);
        for (var round = 0; round < Rounds; round++)
        {
            var all = await RoundAsync(random);
            letIn += all.Count(one => one.WasLetIn);
            closed += all.Count(one => one.Closes > 0);
        }

        Assert.InRange(closed, 1, letIn);
    }

    private static async Task<IReadOnlyList<One>> RoundAsync(Random random)
    {
        await using var life = new Life(options => options.QuietPeriod = TimeSpan.FromMilliseconds(random.Next(0, 20)));
        var crowd = new Crowd(life.Graceful);
        var threads = Enumerable.Range(0, Threads).Select(_ => random.Next()).ToList()
            .ConvertAll(seed => Task.Run(() => crowd.Feed(new Random(seed))));
        await Task.Delay(random.Next(0, 10), TestContext.Current.CancellationToken);
        life.Graceful.Close();
        await Task.WhenAll(threads).Soon("The threads");
        await crowd.EndSharedAsync();
        await crowd.Tracker.Drained.Soon("The end of the last connection");
        var report = await life.ReportAsync();
        Assert.Equal((0, 0, 0), (report.ExitCode, crowd.Tracker.Count, (int)report.ConnectionsAborted));
        Assert.Equal(0, crowd.TooEarly);
        Assert.DoesNotContain(life.Log.Entries, entry => entry.Level > LogLevel.Information);
        Assert.All(crowd.All, one => Assert.InRange(one.Closes, 0, one.WasLetIn ? 1 : 0));
        crowd.Tracker.Dispose();
        return crowd.All;
    }

    /// <summary>Connections that come and go, of some of which several threads speak at a time.</summary>
    private sealed class Crowd
    {
        private readonly List<One> _all = [];
        private readonly List<One> _shared = [];
        private readonly IGraceful _graceful;
        private int _tooEarly;
        private volatile bool _stopped;

        public Crowd(IGraceful graceful)
        {
            _graceful = graceful;
            Tracker = new ConnectionTracker<One>(graceful, new()
            {
                StopAccepting = _ =>
                {
                    _stopped = true;
                    return Task.CompletedTask;
                },
                Close = one => one.Close(),
            });
        }

        public ConnectionTracker<One> Tracker { get; }

        /// <summary>How often everybody was said to have left while somebody was inside.</summary>
        public int TooEarly => Volatile.Read(ref _tooEarly);

        public IReadOnlyList<One> All
        {
            get
            {
                lock (_all)
                {
                    return [.. _all];
                }
            }
        }

        public void Feed(Random random)
        {
            while (!_stopped)
            {
                Live(random);
            }
        }

        /// <summary>Nobody speaks of them any more: now they are told to go.</summary>
        public async Task EndSharedAsync()
        {
            foreach (var one in _shared)
            {
                await Limits.Until(() => one.Closes > 0, "it is told to go");
                End(one);
            }
        }

        private void Live(Random random)
        {
            var own = new One();
            lock (_all)
            {
                _all.Add(own);
            }

            if (!Tracker.Opened(own))
            {
                return;
            }

            own.WasLetIn = true;
            for (var edges = random.Next(4); edges > 0; edges--)
            {
                Say(random, own);
                Say(random, Shared(random) ?? own);
            }

            if (random.Next(8) > 0)
            {
                End(own);
                return;
            }

            lock (_shared)
            {
                _shared.Add(own);
            }
        }

        /// <summary>Each of its speakers says at last that it is idle.</summary>
        private void Say(Random random, One one)
        {
            if (random.Next(2) == 0)
            {
                Tracker.Active(one);
            }

            Tracker.Idle(one);
        }

        private One? Shared(Random random)
        {
            lock (_shared)
            {
                return _shared.Count == 0 ? null : _shared[random.Next(_shared.Count)];
            }
        }

        private void End(One one)
        {
            if (Tracker.Drained.IsCompleted || _graceful.Completion.IsCompleted)
            {
                Interlocked.Increment(ref _tooEarly);
            }

            Tracker.Closed(one);
        }
    }

    private sealed class One
    {
        private int _closes;

        public bool WasLetIn { get; set; }

        public int Closes => Volatile.Read(ref _closes);

        public void Close() => Interlocked.Increment(ref _closes);
    }
}
