using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Graceful.Core;

namespace Graceful.Engine;

/// <summary>
/// One connection's word on a cache line of its own: its requests write here and nowhere else, and no neighbour's
/// writes disturb them.
/// </summary>
[StructLayout(LayoutKind.Explicit, Size = 128)]
internal struct ConnectionCell
{
    [FieldOffset(64)]
    private uint _word;

    // When the connection last became busy or idle, by the coarse clock. Only read while leaving.
    [FieldOffset(72)]
    private long _edge;

    // When a use that counts was last seen to end, by the engine's clock. Only written where there is an idle limit.
    [FieldOffset(80)]
    private long _use;

    public readonly long LastEdge => _edge;

    public readonly Instant LastUse => Instant.NewInstant(Volatile.Read(in _use));

    public readonly Connection Now => Unsafe.BitCast<uint, Connection>(Volatile.Read(in _word));

    public void StampEdge() => _edge = CoarseClock.Now;

    public void StampUse(Instant now) => Volatile.Write(ref _use, now.ticks);

    /// <summary>Applies an event; returns what must be done, one of <see cref="ConnectionEffect.Tags"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public int Step(ConnectionEvent happened)
    {
        var seen = Volatile.Read(ref _word);
        while (true)
        {
            var (next, effect) = ConnectionModule.step(happened, Unsafe.BitCast<uint, Connection>(seen));
            var wanted = Unsafe.BitCast<Connection, uint>(next);
            if (wanted == seen)
            {
                return effect.Tag;
            }

            var found = Interlocked.CompareExchange(ref _word, wanted, seen);
            if (found == seen)
            {
                return effect.Tag;
            }

            seen = found;
        }
    }

    /// <summary>As <see cref="Step(ConnectionEvent)"/>, for those who want to know what the step led from and to.</summary>
    public ConnectionEffect Step(ConnectionEvent happened, out Connection from, out Connection to)
    {
        var seen = Volatile.Read(ref _word);
        while (true)
        {
            from = Unsafe.BitCast<uint, Connection>(seen);
            var (next, effect) = ConnectionModule.step(happened, from);
            to = next;
            var found = Interlocked.CompareExchange(ref _word, Unsafe.BitCast<Connection, uint>(next), seen);
            if (found == seen)
            {
                return effect;
            }

            seen = found;
        }
    }
}
