using System.Globalization;

namespace Graceful.Probe;

// How the server's process ended: with a code, or killed by a signal. Exactly one of the two is set.
internal readonly record struct ServerExit(int? Code, int? Signal)
{
    public override string ToString() =>
        Signal is int signal ? $"killed by {SignalNumber.Name(signal)}" : (Code ?? -1).ToString(CultureInfo.InvariantCulture);

    // From the word that waitpid gives.
    public static ServerExit FromStatus(int status) =>
        (status & 0x7f) == 0 ? new ServerExit((status >> 8) & 0xff, null) : new ServerExit(null, status & 0x7f);
}
