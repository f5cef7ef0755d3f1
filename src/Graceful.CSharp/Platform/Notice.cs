using System.Globalization;
using System.Text;

namespace Graceful.Platform;

/// <summary>What one datagram tells the service manager, in the words of sd_notify(3).</summary>
/// <param name="IsReady">The service has started.</param>
/// <param name="MainProcess">The process to watch and to signal.</param>
/// <param name="IsStopping">The way out has begun.</param>
/// <param name="Status">One line for whoever asks how the service is.</param>
/// <param name="MoreTime">From now on, before the service counts as stuck.</param>
/// <param name="IsAlive">For the watchdog.</param>
internal readonly record struct Notice(
    bool IsReady, int? MainProcess, bool IsStopping, string? Status, TimeSpan? MoreTime, bool IsAlive)
{
    public bool IsEmpty => this == default;

    public override string ToString()
    {
        var text = new StringBuilder();
        Line(IsReady ? "READY=1" : null);
        Line(MainProcess is { } id ? string.Create(CultureInfo.InvariantCulture, $"MAINPID={id}") : null);
        Line(IsStopping ? "STOPPING=1" : null);
        Line(Status is null ? null : $"STATUS={Status}");
        Line(MoreTime is { } time ? string.Create(CultureInfo.InvariantCulture, $"EXTEND_TIMEOUT_USEC={time.Ticks / TimeSpan.TicksPerMicrosecond}") : null);
        Line(IsAlive ? "WATCHDOG=1" : null);
        return text.ToString();

        void Line(string? assignment)
        {
            if (assignment is not null)
            {
                text.Append(assignment).Append('\n');
            }
        }
    }
}
