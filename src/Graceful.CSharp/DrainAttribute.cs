using System.Globalization;
using Graceful.Core;

namespace Graceful;

/// <summary>
/// Says what the drain owes the requests of an endpoint: <c>[Drain(DrainMode.ToldOnly)]</c>, or <c>[Drain(Seconds = 10)]</c> for a limit of
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
    internal const double MostSeconds = 24 * 60 * 60;

    private double _seconds;

    /// <summary>Says what the drain owes a request.</summary>
    /// <param name="mode">Waited for until the grace period ends, when nothing else is said.</param>
    /// <exception cref="ArgumentOutOfRangeException">There is no such mode. Routing throws it when it builds its endpoints.</exception>
    public DrainAttribute(DrainMode mode = DrainMode.MustFinish)
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

    /// <summary>What the drain owes a request.</summary>
    public DrainMode Mode { get; }

    /// <summary>
    /// How long the drain waits for a request that must finish, from the moment on when the listeners are closed. The default, 0,
    /// is until the grace period ends.
    /// </summary>
    /// <value>In seconds: more than zero, and at most 86,400, a day.</value>
    /// <exception cref="ArgumentOutOfRangeException">The value is out of its bounds. Routing throws it when it builds its endpoints.</exception>
    /// <exception cref="InvalidOperationException">The mode is another one, which has no limit.</exception>
    public double Seconds
    {
        get => _seconds;
        set
        {
            if (Mode != DrainMode.MustFinish)
            {
                throw new InvalidOperationException(
                    $"{nameof(Seconds)} is set together with {Mode}; a limit goes with {nameof(DrainMode.MustFinish)} alone, as in [Drain(Seconds = 10)].");
            }

            if (value is not (> 0 and <= MostSeconds))
            {
                throw new ArgumentOutOfRangeException(
                    nameof(value),
                    value,
                    string.Create(CultureInfo.InvariantCulture, $"{nameof(Seconds)} of a drain limit is {value}; allowed is more than 0 and at most {MostSeconds}."));
            }

            _seconds = value;
            Policy = DrainPolicy.NewWithin(TimeSpan.FromSeconds(value));
        }
    }

    /// <summary>The same in the core's words.</summary>
    internal DrainPolicy Policy { get; private set; }
}
