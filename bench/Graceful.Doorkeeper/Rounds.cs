using System.Diagnostics;
using Graceful.Probe;

namespace Graceful.Doorkeeper;

/// <summary>
/// Clients that fire once each round, all of them within a few milliseconds around the moment when the server is about to find that nobody needs it:
/// sometimes a little before it, sometimes a little after it, sometimes on both sides.
/// </summary>
internal sealed class Rounds : IDisposable
{
    private const double SpreadMilliseconds = 3;
    private const double ApartMilliseconds = 1;

    /// <summary>A server that has just started takes its time from the decision to its closing connections: volleys last from 5 to 80 ms.</summary>
    private const int DoublingsOfApart = 5;

    private readonly Activations _activations;
    private readonly Client[] _clients;
    private readonly Edge _edge;
    private readonly Random _random;
    private readonly int _wanted;
    private readonly Barrier _barrier;
    private readonly (Shot Shot, long At, TimeSpan Apart)[] _next;
    private long _lastAnswer = Stopwatch.GetTimestamp();
    private bool _enough;
    private volatile bool _isTold;

    public Rounds(Activations activations, SharedSocket socket, int threads, int wanted, TimeSpan idleLimit, TimeSpan quietPeriod, int seed)
    {
        (_activations, _wanted) = (activations, wanted);
        _clients = [.. Enumerable.Range(0, threads).Select(_ => new Client(socket.EndPoint, quietPeriod))];
        _next = new (Shot, long, TimeSpan)[threads];
        _edge = new Edge(idleLimit);
        _random = new Random(seed);
        _barrier = new Barrier(threads, _ => Plan());
    }

    /// <summary>Shots that were taken within one and within five milliseconds of the decision to leave, on either side of it.</summary>
    public (int One, int Five) Close { get; private set; }

    public Action<Rounds>? Progress { get; init; }

    public TimeSpan EdgeGuess => _edge.Guess;

    public long Of(params Outcome[] outcomes) => outcomes.Sum(outcome => _clients.Sum(client => client.Outcomes[outcome]));

    public long Lost => Of(Outcome.LostNew, Outcome.LostReused, Outcome.Truncated, Outcome.Malformed, Outcome.Unanswered, Outcome.OtherStatus);

    public long Unpromised => _clients.Sum(client => client.Unpromised);

    public long Refused => Of(Outcome.Refused, Outcome.ConnectTimeout);

    public void Run()
    {
        Thread[] threads = [.. Enumerable.Range(0, _clients.Length).Select(number => new Thread(() => Run(number)) { Name = $"client {number + 1}" })];
        foreach (var thread in threads)
        {
            thread.Start();
        }

        foreach (var thread in threads)
        {
            thread.Join();
        }
    }

    /// <summary>The round that runs is the last one.</summary>
    public void End() => _isTold = true;

    public void Dispose()
    {
        foreach (var client in _clients)
        {
            client.Dispose();
        }

        _barrier.Dispose();
    }

    private void Run(int number)
    {
        while (true)
        {
            _barrier.SignalAndWait();
            if (_enough)
            {
                return;
            }

            _clients[number].Fire(_next[number].Shot, _next[number].At, _next[number].Apart);
        }
    }

    /// <summary>Everybody has his answer; while this runs no client does.</summary>
    private void Plan()
    {
        var leavings = _activations.TakeLeavings();
        if (leavings.Count == 0)
        {
            _edge.NotReached();
        }

        foreach (var leaving in leavings)
        {
            _edge.Seen(_lastAnswer, _clients.Min(client => client.Shots[0]), leaving);
            var distances = _clients.SelectMany(client => client.Shots).Select(shot => Math.Abs(Stopwatch.GetElapsedTime(leaving, shot).TotalMilliseconds)).ToList();
            Close = (Close.One + distances.Count(distance => distance <= 1), Close.Five + distances.Count(distance => distance <= 5));
        }

        _enough = _isTold || _activations.Count >= _wanted || Lost + Refused > 0 || _activations.Troubles.Count > 0;
        _lastAnswer = Math.Max(_lastAnswer, _clients.Max(client => client.AnsweredAt));
        var aim = _edge.Guess.TotalMilliseconds + Around(SpreadMilliseconds);
        for (var number = 0; number < _next.Length; number++)
        {
            var at = _lastAnswer + (long)((aim + Around(ApartMilliseconds)) * Stopwatch.Frequency / 1000);
            var apart = TimeSpan.FromMilliseconds(1 << _random.Next(DoublingsOfApart));
            _next[number] = ((Shot)_random.Next(Enum.GetValues<Shot>().Length), at, apart);
        }

        Progress?.Invoke(this);
    }

    private double Around(double most) => (_random.NextDouble() * 2 - 1) * most;
}
