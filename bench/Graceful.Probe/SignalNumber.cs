using System.Globalization;

namespace Graceful.Probe;

// Signals by name and number, as Linux numbers them on x86-64 and arm64.
internal static class SignalNumber
{
    private static readonly string[] Names =
    [
        "", "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2", "PIPE", "ALRM", "TERM",
        "STKFLT", "CHLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG", "XCPU", "XFSZ", "VTALRM", "PROF", "WINCH", "IO", "PWR", "SYS",
    ];

    public static bool TryParse(string text, out int signal)
    {
        string name = text.ToUpperInvariant();
        name = name.StartsWith("SIG", StringComparison.Ordinal) ? name[3..] : name;
        signal = Array.IndexOf(Names, name, 1);
        return signal > 0
            || (int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out signal) && signal is >= 1 and <= 64);
    }

    public static string Name(int signal) =>
        signal >= 1 && signal < Names.Length ? "SIG" + Names[signal] : $"signal {signal}";
}
