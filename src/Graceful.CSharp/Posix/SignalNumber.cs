using System.Globalization;
using System.Runtime.InteropServices;

namespace Graceful.Posix;

/// <summary>The signals of Linux, by name and by number.</summary>
internal static class SignalNumber
{
    private const int Most = 64;

    /// <summary>SIGHUP, SIGINT, SIGQUIT and SIGTERM: the runtime has them everywhere; the other numbers are those of Linux.</summary>
    private static readonly int[] Everywhere = [1, 2, 3, 15];

    /// <summary>In the order of their numbers, from 1.</summary>
    private static readonly string[] Names =
    [
        "SIGHUP", "SIGINT", "SIGQUIT", "SIGILL", "SIGTRAP", "SIGABRT", "SIGBUS", "SIGFPE", "SIGKILL", "SIGUSR1", "SIGSEGV", "SIGUSR2",
        "SIGPIPE", "SIGALRM", "SIGTERM", "SIGSTKFLT", "SIGCHLD", "SIGCONT", "SIGSTOP", "SIGTSTP", "SIGTTIN", "SIGTTOU", "SIGURG",
        "SIGXCPU", "SIGXFSZ", "SIGVTALRM", "SIGPROF", "SIGWINCH", "SIGIO", "SIGPWR", "SIGSYS",
    ];

    /// <summary>What the system lets nobody handle.</summary>
    private static readonly string[] Untouchable = ["SIGKILL", "SIGSTOP"];

    /// <summary>
    /// What the runtime and the C library live on: errors of the processor, children, broken pipes, and the first real-time
    /// signals, of which they take more or fewer.
    /// </summary>
    private static readonly string[] Runtimes =
    [
        "SIGILL", "SIGTRAP", "SIGABRT", "SIGBUS", "SIGFPE", "SIGSEGV", "SIGPIPE", "SIGCHLD", "SIG32", "SIG33", "SIG34", "SIG35",
    ];

    /// <summary>Its number: "SIGTERM", "TERM", "term" and "15" are one. Null for a signal that is not known here.</summary>
    public static int? Parse(string text) =>
        Number(text) is { } number && (OperatingSystem.IsLinux() || Array.IndexOf(Everywhere, number) >= 0) ? number : null;

    /// <summary>Its name; <c>SIG40</c> for one that has none.</summary>
    public static string NameOf(int number) =>
        number >= 1 && number <= Names.Length ? Names[number - 1] : string.Create(CultureInfo.InvariantCulture, $"SIG{number}");

    /// <summary>Why nobody may handle it, or null.</summary>
    public static string? WhyNot(int number)
    {
        var name = NameOf(number);
        return Array.IndexOf(Untouchable, name) >= 0 ? "the system lets nobody handle it"
            : Array.IndexOf(Runtimes, name) >= 0 ? "the .NET runtime needs it for itself"
            : null;
    }

    /// <summary>Calls the owner when the signal comes.</summary>
    /// <param name="number">A signal that is known here.</param>
    /// <param name="take">
    /// Whether the signal was heard. When nobody in the process hears it, it does what it does by itself; so one who doesn't says nothing.
    /// </param>
    public static PosixSignalRegistration Register(int number, Func<int, bool> take)
    {
        // The runtime knows the usual ones by names of its own, which hold on every system; others by their numbers.
        var signal = number switch
        {
            1 => PosixSignal.SIGHUP,
            2 => PosixSignal.SIGINT,
            3 => PosixSignal.SIGQUIT,
            15 => PosixSignal.SIGTERM,
            _ => (PosixSignal)number,
        };
        return PosixSignalRegistration.Create(signal, context => context.Cancel |= take(number));
    }

    private static int? Number(string text)
    {
        var trimmed = text.Trim();
        var digits = trimmed.StartsWith("SIG", StringComparison.OrdinalIgnoreCase) ? trimmed[3..] : trimmed;
        if (int.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out var number))
        {
            return number is >= 1 and <= Most ? number : null;
        }

        var name = trimmed.StartsWith("SIG", StringComparison.OrdinalIgnoreCase) ? trimmed : "SIG" + trimmed;
        var index = Array.FindIndex(Names, known => known.Equals(name, StringComparison.OrdinalIgnoreCase));
        return index < 0 ? null : index + 1;
    }
}
