namespace Graceful;

/// <summary>The way out as a request sees it; see <c>HttpContext.Graceful()</c>. Safe to use from any thread.</summary>
public interface IGracefulFeature
{
    /// <summary>
    /// Please finish: fires when the way out begins, long before anything is aborted. After a stop that was undone it is another token.
    /// </summary>
    CancellationToken Stopping { get; }

    /// <summary>
    /// It is over: fires when the request is about to be cut off, because time ran out or the stop was forced. Who is cut off earlier, because its
    /// endpoint says so (<see cref="DrainAttribute"/>), hears of it by <c>HttpContext.RequestAborted</c> alone.
    /// </summary>
    CancellationToken Aborting { get; }

    /// <summary>Whether the way out has begun, so that this request is among those that are waited for: <see cref="IGraceful.IsStopping"/>.</summary>
    bool IsDraining { get; }

    /// <summary>How long it is until what is left is cut off, zero from then on; null before the way out, or when nothing limits it.</summary>
    TimeSpan? TimeLeft { get; }
}
