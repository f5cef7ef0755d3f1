using System.Globalization;

namespace Graceful.Reporting;

/// <summary>Durations as people read them.</summary>
internal static class Durations
{
    public static string Text(TimeSpan span) => span.TotalSeconds switch
    {
        < 0.001 => "0 ms",
        < 1 => string.Create(CultureInfo.InvariantCulture, $"{span.TotalMilliseconds:0} ms"),
        _ => string.Create(CultureInfo.InvariantCulture, $"{span.TotalSeconds:0.00} s"),
    };
}
