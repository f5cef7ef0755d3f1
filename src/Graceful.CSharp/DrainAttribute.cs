using System.Globalization;
using Graceful.Core;

namespace Graceful;

/// <summary>
/// Says what the drain owes the requests of an endpoint: <c>[Drain(DrainMode.ToldOnly)]</c>, or <c>[Drain(seconds: 10)]</c> for a limit of
/// its own. On an action, a controller, a hub or the handler of a route; of several, the one that routing ranks last counts: a handler's
/// before its group's. In code it is <c>WithDrain</c>.
/// </summary>
/// <remarks>
/// To cut a request off is to abort it as <c>HttpContext.Abort</c> does: <c>RequestAborted</c> fires, an HTTP/2 stream is reset and its
/// neighbours go on, an HTTP/1.1 connection ends. One that ignores this is not waited for. It is no trouble: the exit code stays as it is,
/// and the report counts it in <see cref="ShutdownReport.RequestsLetGo"/>.
/// </remarks>
[AttributeUsage(AttributeTargets.Class | AttributeTargets.Method)]
public sealed class DrainAttribute : Attribute
{
    private const double MostSeconds = 24 * 60 * 60;

    /// <summary>Says what the drain owes a request.</summary>
    /// <param name="mode">Whether it must finish, is told only, may be aborted at once, or does not count.</param>
    /// <exception cref="ArgumentOutOfRangeException">There is no such mode. Routing throws it when it builds its endpoints.</exception>
    public DrainAttribute(DrainMode mode)
    {
        Mode = mode;
        Policy = mode switch
        {
            DrainMode.MustFinish => DrainPolicy.MustFinish,
            DrainMode.ToldOnly => DrainPolicy.ToldOnly,
            DrainMode.AbortAtOnce => DrainPolicy.AbortAtOnce,
            DrainMode.NotCounted => DrainPolicy.NotCounted,
            _ => throw new ArgumentOutOfRangeException(
                nameof(mode), mode, $"The drain mode is {(int)mode}; allowed are {string.Join(", ", Enum.GetNames<DrainMode>())}."),
        };
    }

    /// <summary>Gives a request that must finish a limit of its own: the drain waits for it so long, and cuts it off alone then.</summary>
    /// <param name="seconds">
    /// From the moment on when the listeners are closed; more than 0, at most 86,400, a day. The end of the grace period comes first when it is sooner.
    /// </param>
    /// <exception cref="ArgumentOutOfRangeException">The limit is out of its bounds. Routing throws it when it builds its endpoints.</exception>
    public DrainAttribute(double seconds)
    {
        if (seconds is not (> 0 and <= MostSeconds))
        {
            throw new ArgumentOutOfRangeException(
                nameof(seconds),
                seconds,
                string.Create(CultureInfo.InvariantCulture, $"The drain limit is {seconds} s; allowed is more than 0 and at most {MostSeconds} s, a day."));
        }

        Mode = DrainMode.MustFinish;
        Seconds = seconds;
        Policy = DrainPolicy.NewWithin(TimeSpan.FromSeconds(seconds));
    }

    /// <summary>What the drain owes a request.</summary>
    public DrainMode Mode { get; }

    /// <summary>The limit of a request that must finish, in seconds; 0 when it has none but the end of the grace period.</summary>
    public double Seconds { get; }

    /// <summary>The same in the core's words.</summary>
    internal DrainPolicy Policy { get; }
}
