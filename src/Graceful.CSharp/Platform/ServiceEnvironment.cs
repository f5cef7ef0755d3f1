using System.Globalization;

namespace Graceful.Platform;

/// <summary>What a service manager puts into the environment of a service, as text.</summary>
/// <param name="NotifySocket">NOTIFY_SOCKET: where it wants to hear of the service; absent when it does not.</param>
/// <param name="WatchdogUsec">WATCHDOG_USEC: after how much silence it takes the service for hung, in microseconds.</param>
/// <param name="WatchdogPid">WATCHDOG_PID: whom that concerns; whoever reads it, when absent.</param>
/// <param name="ProcessId">This process.</param>
internal sealed record ServiceEnvironment(string? NotifySocket, string? WatchdogUsec, string? WatchdogPid, int ProcessId)
{
    public static ServiceEnvironment Read() => new(
        Environment.GetEnvironmentVariable("NOTIFY_SOCKET"),
        Environment.GetEnvironmentVariable("WATCHDOG_USEC"),
        Environment.GetEnvironmentVariable("WATCHDOG_PID"),
        Environment.ProcessId);

    /// <summary>The longest silence that the watchdog bears; null when no watchdog watches this process.</summary>
    /// <param name="complaint">What is wrong with the variables; null when nothing is.</param>
    public TimeSpan? Watchdog(out string? complaint)
    {
        complaint = null;
        if (string.IsNullOrEmpty(WatchdogUsec))
        {
            return null;
        }

        if (!string.IsNullOrEmpty(WatchdogPid))
        {
            if (!int.TryParse(WatchdogPid, NumberStyles.None, CultureInfo.InvariantCulture, out var pid) || pid == 0)
            {
                complaint = $"WATCHDOG_PID is '{WatchdogPid}'; allowed is the number of a process";
                return null;
            }

            if (pid != ProcessId)
            {
                return null;
            }
        }

        const long MostMicroseconds = long.MaxValue / TimeSpan.TicksPerMicrosecond;
        if (!long.TryParse(WatchdogUsec, NumberStyles.None, CultureInfo.InvariantCulture, out var microseconds)
            || microseconds is 0 or > MostMicroseconds)
        {
            complaint = string.Create(
                CultureInfo.InvariantCulture,
                $"WATCHDOG_USEC is '{WatchdogUsec}'; allowed is a number of microseconds between 1 and {MostMicroseconds}");
            return null;
        }

        return TimeSpan.FromTicks(microseconds * TimeSpan.TicksPerMicrosecond);
    }
}
