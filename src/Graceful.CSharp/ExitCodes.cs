using System.Collections.Immutable;
using System.Globalization;

namespace Graceful;

/// <summary>
/// The exit code of the process for each <see cref="ShutdownOutcome"/>, from 0 to 255. Two outcomes may have one code, and 0 may
/// stand for one that was not clean, for a supervisor that takes any other code for a crash; the report, its log level and the
/// record tell such an outcome all the same. Codes from 128 on are what shells give a process that a signal killed.
/// </summary>
public sealed class ExitCodes
{
    /// <summary>Nothing was aborted, and no hook or component failed. From 0 to 255; the default is 0.</summary>
    public int Clean { get; set; } = (int)ShutdownOutcome.Clean;

    /// <summary>A hook failed or took too long, or a component failed. From 0 to 255; the default is 1.</summary>
    public int Failed { get; set; } = (int)ShutdownOutcome.Failed;

    /// <summary>The grace period, or the host's patience, was over, and what was left was cut off. From 0 to 255; the default is 2.</summary>
    public int TimedOut { get; set; } = (int)ShutdownOutcome.TimedOut;

    /// <summary>A second signal, or one that stops at once, cut off what was left. From 0 to 255; the default is 3.</summary>
    public int Forced { get; set; } = (int)ShutdownOutcome.Forced;

    /// <summary>As they are now, by the code of the core.</summary>
    internal ImmutableArray<int> ByOutcome() => [Clean, Failed, TimedOut, Forced];

    internal IEnumerable<string> Errors()
    {
        foreach (var outcome in Enum.GetValues<ShutdownOutcome>())
        {
            if (ByOutcome()[(int)outcome] is var code and (< 0 or > 255))
            {
                yield return string.Create(
                    CultureInfo.InvariantCulture, $"{nameof(ExitCodes)}.{outcome} is {code}; allowed is between 0 and 255.");
            }
        }
    }
}
