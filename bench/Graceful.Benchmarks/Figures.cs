namespace Graceful.Benchmarks;

internal static class Figures
{
    /// <summary>The middle one of them; of an even number the upper of the two.</summary>
    public static double Median(IEnumerable<double> values)
    {
        var sorted = values.Order().ToArray();
        return sorted[sorted.Length / 2];
    }
}
