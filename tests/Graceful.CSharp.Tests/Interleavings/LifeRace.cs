using Graceful.Core;
using Graceful.Engine;
using Graceful.Tests.Support;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging.Abstractions;
using static Graceful.Tests.Interleavings.BrokenRuleException;

namespace Graceful.Tests.Interleavings;

/// <summary>
/// A whole life of the real engine, table and cells: its mailbox drains, forces and ends while threads accept, serve and
/// lose connections. What is not real is the transports, and the clock.
/// </summary>
internal sealed class LifeRace : IRace, IDisposable
{
    public static readonly string[] Outcomes =
    [
        "let in untold", "let in and told", "refused", "began on a closing one", "told by a response", "closed", "reset", "clean", "forced",
    ];

    private static readonly HttpContext Context = new DefaultHttpContext();

    private readonly long _round;
    private readonly Mistake _mistake;
    private readonly ManualTime _time = new();
    private readonly LifecycleEngine _engine;
    private readonly List<StressedConnection> _there = [];
    private readonly StressedConnection?[] _newcomers = new StressedConnection?[Crew.Most];
    private readonly StressedConnection?[] _refused = new StressedConnection?[Crew.Most];
    private readonly StressedConnection _a;
    private readonly StressedConnection _m;
    private readonly StressedConnection? _last;
    private readonly Part[] _parts;
    private readonly bool _forced;
    private readonly int[] _seen = new int[Outcomes.Length];
    private string? _broken;

    public LifeRace(long round, int threads, Mistake mistake)
    {
        _round = round;
        _mistake = mistake;
        var dice = new Dice(Rounds.Seed, round, place: 9);
        var options = new GracefulOptions
        {
            GracePeriod = Timeout.InfiniteTimeSpan,
            LameDuck = dice.Next(3) == 0 ? TimeSpan.FromSeconds(1) : TimeSpan.Zero,
            QuietPeriod = dice.Coin() ? TimeSpan.FromMilliseconds(500) : TimeSpan.Zero,
            StateHandler = dice.Coin() ? static (_, _, _) => { } : null,
            TimeProvider = _time,
        };
        _engine = new LifecycleEngine(options, NullLogger.Instance);
        _engine.StartedUp();
        _a = Enter("a", multiplexed: false, quiet: dice.Coin());
        _m = Enter("m", multiplexed: true, quiet: dice.Coin());
        // Who stays to the last sees whether everybody was told; without it, the end itself is raced for.
        _last = dice.Coin() ? Enter("last", multiplexed: false, quiet: false) : null;
        _parts = [.. Enumerable.Range(0, threads).Select(_ => (Part)dice.Next(6))];
        _forced = _parts.Contains(Part.Force);
    }

    public enum Mistake
    {
        None,
        EnterBeforeRegister,
        RetireForgotten,
        LeaveTwice,
    }

    private enum Part
    {
        Accept,
        AcceptAndEnd,
        Serve,
        EndA,
        EndM,
        Force,
    }

    public void Act(int thread)
    {
        var dice = new Dice(Rounds.Seed, _round, thread);
        if (thread == 0)
        {
            _ = _engine.Stop(Trigger.Requested);
        }

        // The mailbox runs on a thread of its own: this is the moment when it begins.
        for (var looks = 0; _engine.IsReady && looks < 5_000; looks++)
        {
            Thread.SpinWait(1);
        }

        dice.Dawdle(100);
        switch (_parts[thread])
        {
            case Part.Accept:
                _ = Accept(thread, ref dice);
                break;
            case Part.AcceptAndEnd when Accept(thread, ref dice) is { } connection:
                // Nobody else ends it, so the way out cannot be over.
                Require(_forced || !_engine.Exited.IsCompleted, "The way out was over while somebody was inside.");
                End(connection);
                break;
            case Part.Serve:
                // One request at a time on a; as many as there are on m.
                Serve(Array.IndexOf(_parts, Part.Serve) == thread && dice.Coin() ? _a : _m, ref dice);
                break;
            case Part.EndA:
                End(_a);
                break;
            case Part.EndM:
                End(_m);
                break;
            case Part.Force:
                _engine.Post(Event.NewForceRequested(ForceCause.HostTimedOut));
                break;
        }
    }

    public void Check(Rounds rounds)
    {
        try
        {
            CheckWhileInside();
            foreach (var connection in _there.Concat(_newcomers.OfType<StressedConnection>()).Where(c => !c.IsGone && c != _last))
            {
                End(connection);
            }

            if (_last is not null)
            {
                Require(_forced || !_engine.Exited.IsCompleted, "The way out was over before the last one had left.");
                End(_last);
            }

            Wait(() => _engine.Exited.IsCompleted, "the way out was over when all had left");
            CheckEnd(rounds);
            Unless(_broken is null, _broken!);
        }
        finally
        {
            Dispose();
        }
    }

    public void Dispose() => _engine.Dispose();

    private void CheckWhileInside()
    {
        if (_last is null)
        {
            return;
        }

        Wait(() => _last.WasSwept || _engine.Exited.IsCompleted, "the connections were swept");
        foreach (var connection in _there.Concat(_newcomers.OfType<StressedConnection>()))
        {
            Unless(connection.IsGone || connection.IsRetiring, $"{connection.Id} is inside and missed the notice.");
        }
    }

    private void CheckEnd(Rounds rounds)
    {
        // A walk can come by while somebody waits for the gate's answer, so who is refused may have been closed before.
        var all = _there.Concat(_newcomers.Concat(_refused).OfType<StressedConnection>()).ToList();
        foreach (var connection in all)
        {
            Unless(connection.Closes <= 1, $"{connection.Id} was closed {connection.Closes} times.");
            Unless(connection.Resets <= 1, $"{connection.Id} was reset {connection.Resets} times.");
        }

        foreach (var (left, _) in _engine.Table)
        {
            Unless(false, $"{left.Id} is in the table when all have ended.");
        }

        Unless(_engine.Gate.Step(GateEvent.Enter) == GateEffect.Tags.Refuse, "The gate is not sealed when all have left.");
        Unless(_engine.Gate.Step(GateEvent.Drain) == GateEffect.Tags.NoChange, "The gate says again that it is empty.");
        Unless(_engine.Figures.ConnectionsClosed == all.Sum(c => c.Closes), "The report counts other closes than there were.");
        Unless(_engine.Figures.ConnectionsAborted == all.Sum(c => c.Resets), "The report counts other resets than there were.");
        var code = _engine.Exited.Result.ExitCode;
        Unless(code == 0 || _forced, $"Nobody forced it and the exit code is {code}.");
        rounds.Saw(5, all.Sum(c => c.Closes));
        rounds.Saw(6, all.Sum(c => c.Resets));
        rounds.Saw(code == 0 ? 7 : 8);
        for (var i = 0; i < _seen.Length; i++)
        {
            rounds.Saw(i, _seen[i]);
        }
    }

    private StressedConnection Enter(string name, bool multiplexed, bool quiet)
    {
        var connection = new StressedConnection(_engine, name, multiplexed, quiet);
        Unless(connection.TryEnter(), "An open gate refused somebody.");
        _there.Add(connection);
        return connection;
    }

    private StressedConnection? Accept(int thread, ref Dice dice)
    {
        var connection = new StressedConnection(_engine, $"the newcomer of thread {thread}", multiplexed: dice.Coin(), quiet: dice.Coin());
        if (!TryEnter(connection))
        {
            Interlocked.Increment(ref _seen[2]);
            _refused[thread] = connection;
            return null;
        }

        Interlocked.Increment(ref _seen[connection.IsRetiring ? 1 : 0]);
        _newcomers[thread] = connection;
        Serve(connection, ref dice);
        return connection;
    }

    private void Serve(StressedConnection connection, ref Dice dice)
    {
        var request = new HeldRequestFacts(connection.Id, Context, CoarseClock.Now);
        connection.Began();
        // What is open now is not closed before the request has ended.
        var wasOpen = !connection.IsClosed;
        if (!wasOpen && connection is { IsGone: false, Resets: 0 })
        {
            Interlocked.Increment(ref _seen[3]);
        }

        dice.Dawdle(20);
        if (!connection.IsMultiplexed && connection.MustTell)
        {
            connection.Told();
            Interlocked.Increment(ref _seen[4]);
        }

        dice.Dawdle(20);
        Require(!wasOpen || connection.Closes == 0, $"A request was in flight on {connection.Id} and it was closed.");
        connection.Finished(request);
    }

    private void End(StressedConnection connection)
    {
        var isFirst = !connection.IsGone;
        connection.Apply(ConnectionEvent.Ended);
        if (_mistake == Mistake.LeaveTwice && isFirst)
        {
            _engine.Leave(connection);
        }
    }

    private bool TryEnter(StressedConnection connection)
    {
        if (_mistake is Mistake.None or Mistake.LeaveTwice)
        {
            return connection.TryEnter();
        }

        if (_mistake == Mistake.RetireForgotten)
        {
            _engine.Table.Add(connection);
        }

        var answer = _engine.Gate.Step(GateEvent.Enter);
        if (_mistake == Mistake.EnterBeforeRegister)
        {
            Thread.SpinWait(500);
            _engine.Table.Add(connection);
            if (answer == GateEffect.Tags.AdmitRetiring)
            {
                connection.Apply(ConnectionEvent.Retire);
            }
        }

        if (answer == GateEffect.Tags.Refuse)
        {
            _engine.Table.Remove(connection);
        }

        return answer != GateEffect.Tags.Refuse;
    }

    /// <summary>The clock goes on only while somebody waits: for the end of the lame duck, and for the next sweep.</summary>
    private void Wait(Func<bool> holds, string what)
    {
        var spin = new SpinWait();
        var end = Environment.TickCount64 + (long)Limits.Hang.TotalMilliseconds;
        while (!holds())
        {
            _time.Advance(TimeSpan.FromMilliseconds(100));
            spin.SpinOnce(sleep1Threshold: -1);
            Unless(Environment.TickCount64 < end, $"Within {Limits.Hang.TotalSeconds} s it never came true that {what}.");
        }
    }

    private void Require(bool holds, string rule)
    {
        if (!holds)
        {
            Volatile.Write(ref _broken, rule);
        }
    }
}
