using System.Runtime.CompilerServices;
using Graceful.Core;
using Graceful.Engine;

namespace Graceful.Tests.Interleavings;

/// <summary>Threads that enter, leave and drain one gate at the same moment.</summary>
[Collection(nameof(Alone))]
public sealed class GateRaces
{
    [Fact]
    public void What_a_gate_answers_comes_of_an_order_of_whole_steps() =>
        new Rounds("Gate", GateRace.Outcomes, (round, threads) => new GateRace(new GateCell().Step, round, threads)).Play();

    [Fact]
    public void A_gate_that_stores_and_does_not_compare_is_found() =>
        new Rounds("Gate that only stores", GateRace.Outcomes, (round, threads) => new GateRace(new StoringGate().Step, round, threads)).Find();

    /// <summary>The cell without the comparison; a little slow, so that a busy machine finds it soon as well.</summary>
    private sealed class StoringGate
    {
        private ulong _word;

        public int Step(GateEvent happened)
        {
            var seen = Volatile.Read(ref _word);
            var (next, effect) = GateModule.step(happened, Unsafe.BitCast<ulong, Gate>(seen));
            Thread.SpinWait(10);
            Volatile.Write(ref _word, Unsafe.BitCast<Gate, ulong>(next));
            return effect.Tag;
        }
    }
}
