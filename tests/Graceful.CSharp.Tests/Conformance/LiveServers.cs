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

    /// <summary>What the promises are about, and what these sequences therefore have to come upon.</summary>
    private static readonly HashSet<(Place, Act, Sight)> Telling =
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
            var (code, seen) = Conforms(scenario);
            codes[code]++;
            all.UnionWith(seen);
        }));
        output.WriteLine($"{Runs} servers, seed {Seed}, {watch.Elapsed.TotalSeconds:0.0} s; exit codes 0 to 3: {string.Join(", ", codes)}; {all.Count} kinds of sight: {string.Join(" ", all.Order())}");

        // What never happens proves nothing.
        if (Seed == 2026)
        {
            Assert.DoesNotContain(0, codes);
            Assert.Superset(Telling, all);
        }
    }

    private static (int ExitCode, IReadOnlySet<(Place, Act, Sight)> Seen) Conforms(Scenario scenario)
    {
        var record = Path.Combine(Path.GetTempPath(), $"graceful-{Guid.NewGuid():N}.jsonl");
        try
        {
            // FsCheck's properties are synchronous.
            var (code, seen) = Task.Run(() => LiveRun.GoAsync(scenario, record)).GetAwaiter().GetResult();
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
