namespace Graceful;

/// <summary>
/// What the drain owes the requests of an endpoint, see <see cref="DrainAttribute"/>. Whatever it says, all are asked to finish
/// by <see cref="IGracefulFeature.Stopping"/> when the way out begins, and none outlives the grace period.
/// </summary>
public enum DrainMode
{
    /// <summary>It is waited for until the grace period ends: the default, also of requests without an endpoint.</summary>
    MustFinish,

    /// <summary>
    /// A long poll or a stream: it is waited for as long as a request or work is that must finish, and for
    /// <see cref="GracefulOptions.QuietPeriod"/> at least; then it is cut off, within about 50 ms.
    /// </summary>
    ToldOnly,

    /// <summary>It is cut off when the drain begins: after the lame duck, when the listeners are closed.</summary>
    AbortAtOnce,

    /// <summary>
    /// A probe: as <see cref="ToldOnly"/>, but with 50 ms in place of the quiet period; and it counts for nothing, neither as a request
    /// in flight nor as one that finished or was let go, and keeps no server that has a <see cref="GracefulOptions.IdleLimit"/>. The endpoints of <c>MapGracefulHealth</c> are of this kind.
    /// </summary>
    NotCounted,
}
