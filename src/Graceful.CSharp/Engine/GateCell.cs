using System.Runtime.CompilerServices;
using Graceful.Core;

namespace Graceful.Engine;

/// <summary>The server's gate: one word, stepped twice a connection.</summary>
internal sealed class GateCell
{
    private ulong _word;

    public Gate Now => Unsafe.BitCast<ulong, Gate>(Volatile.Read(ref _word));

    /// <summary>Applies an event; returns the answer, one of <see cref="GateEffect.Tags"/>.</summary>
    public int Step(GateEvent happened) => Step(happened, out _, out _).Tag;

    /// <summary>As <see cref="Step(GateEvent)"/>, for those who want to know what the step led from and to.</summary>
    public GateEffect Step(GateEvent happened, out Gate from, out Gate to)
    {
        var seen = Volatile.Read(ref _word);
        while (true)
        {
            from = Unsafe.BitCast<ulong, Gate>(seen);
            var (next, effect) = GateModule.step(happened, from);
            to = next;
            var found = Interlocked.CompareExchange(ref _word, Unsafe.BitCast<Gate, ulong>(next), seen);
            if (found == seen)
            {
                return effect;
            }

            seen = found;
        }
    }
}
