using System.Globalization;
using System.Text;
using Graceful.Core;
using Graceful.Engine;

namespace Graceful.Platform;

/// <summary>What the way out waits for, on one line.</summary>
internal static class StatusText
{
    /// <summary>More than this nobody reads, and a datagram has its limits.</summary>
    private const int MostCharacters = 400;

    /// <param name="leaving">Where the way out is.</param>
    /// <param name="shutdown">What every stage of it carries along.</param>
    /// <param name="reason">Why, and who asked.</param>
    /// <param name="hooks">All hooks, in the order of their indices.</param>
    /// <param name="exitCode">What the process ends with, as far as is known.</param>
    /// <param name="now">By the clock of the engine.</param>
    /// <param name="held">Who is inside.</param>
    public static string Of(Lifecycle leaving, Shutdown shutdown, StopReason reason, IReadOnlyList<HookRegistration> hooks, int exitCode, Instant now, Held held)
    {
        var text = new StringBuilder();
        text.Append(CultureInfo.InvariantCulture, $"{(leaving.IsExited ? "Left" : "Leaving")} after {reason}: ");
        text.Append(leaving switch
        {
            Lifecycle.Draining { Item2.IsRunningBeforeHooks: true } before => Of("before-drain", before.Item2.hooks, hooks),
            Lifecycle.Draining { Item2.IsLameDuck: true } => "lame duck",
            Lifecycle.Draining { Item2.IsClosingListeners: true } => "closing listeners",
            Lifecycle.Draining => "draining",
            Lifecycle.Hooks after => Of("after-drain", after.Item2, hooks),
            _ => string.Create(CultureInfo.InvariantCulture, $"exit code {exitCode}, the host stops"),
        });
        if (leaving is Lifecycle.Draining)
        {
            text.Append(", ").Append(held);
            if (shutdown.Deadline is { IsSome: true } deadline)
            {
                text.Append(CultureInfo.InvariantCulture, $", at most {Math.Max(0, Math.Ceiling((deadline.Value - now).TotalSeconds))} s more");
            }
        }

        return OneLine(text);
    }

    private static string Of(string stage, HookProgress progress, IReadOnlyList<HookRegistration> hooks) =>
        $"{stage} {(progress.Running.Length == 1 ? "hook" : "hooks")} {string.Join(", ", progress.Running.Select(run => $"'{hooks[run.Index].Name}'"))}";

    /// <summary>A name may hold anything; a line break would begin another assignment.</summary>
    private static string OneLine(StringBuilder text)
    {
        for (var index = 0; index < text.Length; index++)
        {
            if (char.IsControl(text[index]))
            {
                text[index] = ' ';
            }
        }

        return text.Length <= MostCharacters ? text.ToString() : $"{text.ToString(0, MostCharacters)}...";
    }
}
