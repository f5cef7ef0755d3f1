using System.Diagnostics;
using System.Globalization;

namespace Graceful.Tests.Interleavings;

/// <summary>Runs races, as many as it is told, and keeps what came of them.</summary>
internal sealed class Rounds
{
    /// <summary>So many races are run before they are checked: the crew is called together only once for them.</summary>
    public const int Batch = 500;

    private const int Usual = 10_000;

    /// <summary>On a machine that is busy with other things threads meet seldom; what has not come yet is waited for so long.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private readonly string _what;
    private readonly Func<long, int, IRace> _race;
    private readonly string[] _outcomes;
    private readonly long[] _seen;
    private readonly Stopwatch _watch = Stopwatch.StartNew();
    private long _run;
    private long _met;

    /// <param name="what">What the figures are called.</param>
    /// <param name="outcomes">What must come of some race, or nothing was learnt about it.</param>
    /// <param name="race">Makes the race of a round for so many threads.</param>
    public Rounds(string what, string[] outcomes, Func<long, int, IRace> race)
    {
        _what = what;
        _outcomes = outcomes;
        _seen = new long[outcomes.Length];
        _race = race;
    }

    /// <summary>Where all choices come from; what the processors make of them is theirs.</summary>
    public static ulong Seed { get; } = Read("GRACEFUL_SEED", 2026);

    private IEnumerable<string> Missing => _outcomes.Where((_, i) => _seen[i] == 0);

    private static long Count { get; } = (long)Read("GRACEFUL_ROUNDS", Usual);

    /// <summary>Something happened in a race.</summary>
    /// <param name="outcome">Its place in the list of outcomes.</param>
    /// <param name="times">How often.</param>
    public void Saw(int outcome, int times = 1) => _seen[outcome] += times;

    /// <summary>Runs all rounds, and says how it goes on when that takes long.</summary>
    public void Play()
    {
        using var crew = new Crew();
        var said = TimeSpan.Zero;
        while (_run < Count || (Count >= Usual && Missing.Any() && _watch.Elapsed < Patience))
        {
            try
            {
                PlayBatch(crew);
            }
            catch (Exception e) when (e is BrokenRuleException or TimeoutException)
            {
                Assert.Fail($"{_what}, seed {Seed}, round {_run}: {e.Message}");
            }

            if (_watch.Elapsed - said > TimeSpan.FromSeconds(10))
            {
                said = _watch.Elapsed;
                Print();
            }
        }

        Print();
        Assert.True(Count < Usual || !Missing.Any(), $"{_what}: in {_run} rounds it never came to this: {string.Join("; ", Missing)}.");
    }

    /// <summary>Runs rounds until a planted mistake is found, and fails when that takes too long.</summary>
    public void Find()
    {
        using var crew = new Crew();
        try
        {
            while (_watch.Elapsed < Patience)
            {
                PlayBatch(crew);
            }
        }
        catch (BrokenRuleException broken)
        {
            TestContext.Current.TestOutputHelper?.WriteLine($"{_what}: found in round {_run}: {broken.Message}");
            return;
        }

        Assert.Fail($"{_what}: nothing was found in {_run} rounds.");
    }

    private void PlayBatch(Crew crew)
    {
        // A third thread finds other mistakes, but on two processors it comes late most of the time.
        var size = _run / Batch % 4 == 3 ? Crew.Most : 2;
        var races = Enumerable.Range(0, Batch).Select(i => _race(_run + i, size)).ToArray();
        _met += crew.Run(races, size);
        foreach (var race in races)
        {
            race.Check(this);
            _run++;
        }
    }

    private void Print()
    {
        var seen = string.Join(", ", _outcomes.Select((outcome, i) => $"{_seen[i]} {outcome}"));
        Console.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"{_what}: seed {Seed}, {_run} of {Count} rounds, {_watch.Elapsed.TotalSeconds:F1} s; met in {_met}; {seen}"));
    }

    private static ulong Read(string variable, ulong usual)
    {
        var text = Environment.GetEnvironmentVariable(variable);
        return string.IsNullOrEmpty(text) ? usual
            : ulong.TryParse(text, CultureInfo.InvariantCulture, out var value) && value > 0 ? value
            : throw new InvalidOperationException($"{variable} is '{text}'; allowed is a whole number above zero.");
    }
}
