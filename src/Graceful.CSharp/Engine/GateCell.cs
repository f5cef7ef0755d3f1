using System.Runtime.CompilerServices;
using Graceful.Core;

namespace Graceful.Engine;

/// <summary>The server's gate: one word, stepped twice a connection.</summary>
internal sealed class GateCell
{
    private ulong _word;

    /// <summary>Applies an event; returns the answer, one of <see cref="GateEffect.Tags"/>.</summary>
    public int Step(GateEvent happened)
    {
        var seen = Volatile.Read(ref _word);
        while (true)
        {
            var (next, effect) = GateModule.step(happened, Unsafe.BitCast<ulong, Gate>(seen));
            var found = Interlocked.CompareExchange(ref _word, Unsafe.BitCast<Gate, ulong>(next), seen);
            if (found == seen)
            {
                return effect.Tag;
            }

            seen = found;
        }
    }
}
