using System.Diagnostics;
using System.Globalization;
using FsCheck;
using FsCheck.Fluent;
using Graceful.Replay;
using Microsoft.FSharp.Core;
using Xunit.Sdk;

namespace Graceful.Tests.Conformance;

/// <summary>
/// Random commands against live servers. Each way out is recorded, the record is folded through the core again without a
/// difference, and no client sees anything that the model does not promise.
/// </summary>
public sealed class LiveServers(ITestOutputHelper output)
{
    private const int Runs = 30;

    /// <summary>The seed of the core's tests as well; another one finds other sequences.</summary>
    private static readonly ulong Seed = Environment.GetEnvironmentVariable("GRACEFUL_SEED") is { Length: > 0 } text
        ? ulong.Parse(text, CultureInfo.InvariantCulture)
        : 2026;

    /// <summary>What the promises are about.</summary>
    private static readonly HashSet<(Place, Act, Sight)> Promises =
    [
        (Place.BeforeHook, Act.Request, Sight.Answered),
        (Place.LameDuck, Act.Open, Sight.Connected),
        (Place.LameDuck, Act.Request, Sight.AnsweredAndTold),
        (Place.Draining, Act.Open, Sight.Refused),
        (Place.Draining, Act.Request, Sight.AnsweredAndTold),
        (Place.Draining, Act.Slow, Sight.AtWork),
        (Place.Draining, Act.Release, Sight.AnsweredAndTold),
        (Place.Draining, Act.Request, Sight.Echoed),
        (Place.Draining, Act.SeeOut, Sight.ClosedAsQuiet),
        (Place.Draining, Act.Signal, Sight.Aborted),
        (Place.Draining, Act.Pass, Sight.Aborted),
    ];

    private static readonly TimeSpan ShortQuiet = TimeSpan.FromMilliseconds(250);

    /// <summary>What happens only now and then in random sequences, once for certain.</summary>
    [Fact]
    public void Each_promise_is_kept_when_it_is_asked_for()
    {
        var longQuiet = TimeSpan.FromSeconds(20);
        var tour = new Scenario(HasLameDuck: true, HookKind.Stuck, HookKind.Good,
        [
            new(Act.Open, 0), new(Act.Open, 1), new(Act.Open, 2), new(Act.Signal), new(Act.Request, 0),
            new(Act.Pass), new(Act.Open, 3), new(Act.Request, 3), new(Act.Upgrade, 1), new(Act.Open, 3), new(Act.Half, 3),
            new(Act.Pass), new(Act.Request, 1), new(Act.Request, 0), new(Act.Open, 0), new(Act.Request, 3), new(Act.Slow, 2), new(Act.Release, 2),
            new(Act.Pass),
        ]);
        var kicked = new Scenario(HasLameDuck: false, HookKind.None, HookKind.Bad,
            [new(Act.Open, 0), new(Act.Slow, 0), new(Act.Open, 1), new(Act.Request, 1), new(Act.Signal), new(Act.Signal)]);
        var seenOut = new Scenario(HasLameDuck: false, HookKind.None, HookKind.None,
            [new(Act.Open, 0), new(Act.Open, 1), new(Act.Request, 1), new(Act.Open, 2), new(Act.Half, 2), new(Act.Signal), new(Act.SeeOut)]);
        var runs = new[] { Conforms(tour, longQuiet), Conforms(kicked, longQuiet), Conforms(seenOut, ShortQuiet) };
        Assert.Equal([2, 3, 0], runs.Select(run => run.ExitCode));
        Assert.Superset(Promises, runs.SelectMany(run => run.Seen).ToHashSet());
    }

    [Fact]
    public void They_do_what_the_core_says_and_clients_see_what_the_model_says()
    {
        var all = new HashSet<(Place, Act, Sight)>();
        var codes = new int[4];
        var watch = Stopwatch.StartNew();
        var config = Config.QuickThrowOnFailure
            .WithQuietOnSuccess(true)
            .WithMaxTest(Runs)
            .WithReplay(FSharpOption<FsCheck.Replay>.Some(new FsCheck.Replay(new Rnd(Seed, 0x9E3779B97F4A7C15UL), FSharpOption<int>.None)));
        Check.One(config, Prop.ForAll(Scenario.Any, scenario =>
        {
            var (code, seen) = Conforms(scenario, ShortQuiet);
            codes[code]++;
            all.UnionWith(seen);
        }));
        output.WriteLine($"{Runs} servers, seed {Seed}, {watch.Elapsed.TotalSeconds:0.0} s; exit codes 0 to 3: {string.Join(", ", codes)}; {all.Count} kinds of sight: {string.Join(" ", all.Order())}");
    }

    private static (int ExitCode, IReadOnlySet<(Place, Act, Sight)> Seen) Conforms(Scenario scenario, TimeSpan quietPeriod)
    {
        var record = Path.Combine(Path.GetTempPath(), $"graceful-{Guid.NewGuid():N}.jsonl");
        try
        {
            // FsCheck's properties are synchronous.
            var (code, seen) = Task.Run(() => LiveRun.GoAsync(scenario, quietPeriod, record)).GetAwaiter().GetResult();
            using var told = new StringWriter();
            if (Replayer.Run([record], told, told) != 0 || !told.ToString().Contains($"exited with code {code}", StringComparison.Ordinal))
            {
                throw new XunitException($"The record does not replay:\n{told}");
            }

            File.Delete(record);
            return (code, seen);
        }
        catch (XunitException e)
        {
            throw new XunitException($"GRACEFUL_SEED={Seed}, record {record}\n{e.Message}", e);
        }
    }
}
