using System.Globalization;

namespace Graceful.Platform;

/// <summary>Adds up how long a way out may take, and says what that does not fit into.</summary>
internal static class Budget
{
    /// <param name="options">What the user decided.</param>
    /// <param name="hostLimit">How long the host lets its services stop, everything counted.</param>
    /// <returns>A sentence for each sum that does not fit; none when all is well.</returns>
    public static IEnumerable<string> Misfits(GracefulOptions options, TimeSpan hostLimit)
    {
        var sum = options.Budget();
        var limits = new List<string>();
        if (options.PlatformGracePeriod is { } platform && (IsEndless(sum) || sum >= platform))
        {
            // Even a sum that is the same leaves no time to write the report and to end the process.
            limits.Add($"{nameof(GracefulOptions.PlatformGracePeriod)} is {Text(platform)}");
        }

        if (!IsEndless(hostLimit) && (IsEndless(sum) || sum > hostLimit))
        {
            limits.Add($"the host's ShutdownTimeout is {Text(hostLimit)}");
        }

        if (limits.Count > 0)
        {
            yield return $"The way out may take {Sum(options, sum)}, but {string.Join(" and ", limits)}: it may be killed or cut off before it is over";
        }

        var untilQuiet = options.LameDuck + options.SettleTime + options.QuietPeriod;
        if (!IsEndless(options.GracePeriod) && untilQuiet >= options.GracePeriod)
        {
            yield return $"{UntilQuiet(options)} = {Text(untilQuiet)}, but {nameof(GracefulOptions.GracePeriod)} is {Text(options.GracePeriod)}: "
                + "a connection that is used to the last is cut off before it was quiet";
        }
    }

    private static string Sum(GracefulOptions options, TimeSpan sum)
    {
        var grace = Term(nameof(GracefulOptions.GracePeriod), options.GracePeriod);
        var within = options.Hooks.Where(hook => !hook.AfterDrain).Select(hook => Term($"hook '{hook.Name}'", hook.Limit)).ToList();
        if (options.LameDuck > TimeSpan.Zero)
        {
            within.Insert(0, Term(nameof(GracefulOptions.LameDuck), options.LameDuck));
        }

        var after = options.LongestAfterDrain().Select(hook => Term($"hook '{hook.Name}'", hook.Limit));
        var terms = after.Prepend(within.Count == 0 ? grace : $"{grace} (with {string.Join(", ", within)} in it)").ToList();
        return terms.Count == 1 ? terms[0] : $"{string.Join(" + ", terms)} = {Text(sum)}";
    }

    private static string UntilQuiet(GracefulOptions options)
    {
        var rest = $"{Term(nameof(GracefulOptions.SettleTime), options.SettleTime)} + {Term(nameof(GracefulOptions.QuietPeriod), options.QuietPeriod)}";
        return options.LameDuck == TimeSpan.Zero ? rest : $"{Term(nameof(GracefulOptions.LameDuck), options.LameDuck)} + {rest}";
    }

    private static string Term(string name, TimeSpan span) => $"{name} {Text(span)}";

    private static string Text(TimeSpan span) =>
        IsEndless(span) ? "without limit" : string.Create(CultureInfo.InvariantCulture, $"{span.TotalSeconds:0.###} s");

    private static bool IsEndless(TimeSpan span) => span == Timeout.InfiniteTimeSpan;
}
