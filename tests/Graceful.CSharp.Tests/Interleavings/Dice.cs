namespace Graceful.Tests.Interleavings;

/// <summary>Choices that follow from a seed, a round and a place alone (SplitMix64).</summary>
internal struct Dice(ulong seed, long round, int place)
{
    private ulong _state = (seed * 0x9E3779B97F4A7C15) + ((ulong)round * 0xD1342543DE82EF95) + ((ulong)place * 0xA0761D6478BD642F);

    /// <summary>From 0 to <paramref name="bound"/> - 1.</summary>
    public int Next(int bound)
    {
        _state += 0x9E3779B97F4A7C15;
        var a = (_state ^ (_state >> 30)) * 0xBF58476D1CE4E5B9;
        var b = (a ^ (a >> 27)) * 0x94D049BB133111EB;
        return (int)((((b ^ (b >> 31)) >> 32) * (ulong)bound) >> 32);
    }

    public bool Coin() => Next(2) == 0;

    /// <summary>Passes a little time, mostly hardly any.</summary>
    public void Dawdle(int most) => Thread.SpinWait(Next(2) == 0 ? Next(4) : Next(most));
}
