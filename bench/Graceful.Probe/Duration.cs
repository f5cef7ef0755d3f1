using System.Globalization;

namespace Graceful.Probe;

// Lengths of time as people write them: 300ms, 2s, 1.5s, 1m. A bare number is milliseconds.
internal static class Duration
{
    public static bool TryParse(string text, out TimeSpan span)
    {
        (string digits, double unit) = text switch
        {
            _ when text.EndsWith("ms", StringComparison.Ordinal) => (text[..^2], 1.0),
            _ when text.EndsWith('s') => (text[..^1], 1000.0),
            _ when text.EndsWith('m') => (text[..^1], 60_000.0),
            _ => (text, 1.0),
        };
        bool parsed = double.TryParse(digits, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out double number)
            && number * unit < TimeSpan.FromDays(1).TotalMilliseconds;
        span = parsed ? TimeSpan.FromMilliseconds(number * unit) : TimeSpan.Zero;
        return parsed;
    }

    public static string Write(TimeSpan span) => span.TotalSeconds is var seconds && seconds >= 1 || span == TimeSpan.Zero
        ? string.Create(CultureInfo.InvariantCulture, $"{span.TotalSeconds:0.###}s")
        : string.Create(CultureInfo.InvariantCulture, $"{span.TotalMilliseconds:0.###}ms");
}
