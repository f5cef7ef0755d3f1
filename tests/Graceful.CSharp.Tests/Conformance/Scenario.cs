using FsCheck;
using FsCheck.Fluent;

namespace Graceful.Tests.Conformance;

/// <summary>A policy and what is done to a server that has it.</summary>
internal sealed record Scenario(bool HasLameDuck, HookKind Before, HookKind After, Command[] Commands)
{
    public const int Clients = 4;

    private static readonly Gen<HookKind> Hooks = Gen.Frequency(
        (5, Gen.Constant(HookKind.None)), (1, Gen.Constant(HookKind.Good)), (2, Gen.Constant(HookKind.Bad)), (2, Gen.Constant(HookKind.Stuck)));

    // What has no sense where it comes is passed over, so there is more of everything than will happen.
    private static readonly Gen<Act> Acts = Gen.Frequency(
        (7, Gen.Constant(Act.Open)), (8, Gen.Constant(Act.Request)), (6, Gen.Constant(Act.Slow)), (3, Gen.Constant(Act.Release)),
        (3, Gen.Constant(Act.Half)), (4, Gen.Constant(Act.Upgrade)), (1, Gen.Constant(Act.Close)), (2, Gen.Constant(Act.Signal)),
        (3, Gen.Constant(Act.Pass)));

    private static readonly Gen<Command> AnyCommand =
        from act in Acts
        from client in Gen.Choose(0, Clients - 1)
        select new Command(act, client);

    public static Arbitrary<Scenario> Any { get; } = Arb.From(
        from lameDuck in Gen.Elements(true, false)
        from before in Hooks
        from after in Hooks
        from length in Gen.Choose(15, 60)
        from commands in Gen.ArrayOf(AnyCommand, length)
        select new Scenario(lameDuck, before, after, commands),
        Smaller);

    public override string ToString() =>
        $"lame duck: {HasLameDuck}, before-drain hook: {Before}, after-drain hook: {After}; {string.Join(", ", Commands)}";

    private static IEnumerable<Scenario> Smaller(Scenario large)
    {
        // Halves first: each try is a live server.
        for (var piece = large.Commands.Length / 2; piece > 0; piece /= 2)
        {
            for (var from = 0; from < large.Commands.Length; from += piece)
            {
                var (start, end) = (from, Math.Min(from + piece, large.Commands.Length));
                yield return large with { Commands = [.. large.Commands[..start], .. large.Commands[end..]] };
            }
        }

        if (large.HasLameDuck)
        {
            yield return large with { HasLameDuck = false };
        }

        if (large.Before != HookKind.None)
        {
            yield return large with { Before = HookKind.None };
        }

        if (large.After != HookKind.None)
        {
            yield return large with { After = HookKind.None };
        }
    }
}
