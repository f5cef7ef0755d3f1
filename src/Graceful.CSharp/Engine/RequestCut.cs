using Graceful.Core;
using Microsoft.AspNetCore.Http;

namespace Graceful.Engine;

/// <summary>
/// A request that is being cut off. Once it has ended, its context is the server's again and may be another request's: so
/// an end that comes before the cut withdraws it, and one that comes later waits until the cut is over.
/// </summary>
internal sealed class RequestCut(LifecycleEngine engine, TrackedConnection connection, HeldRequestFacts request, Instant at)
{
    private readonly TaskCompletionSource _over = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int _state = State.Ordered;

    public Instant At => at;

    /// <summary>Completes when nobody needs the request's context any more.</summary>
    public Task Over => _over.Task;

    public HttpContext Context => request.Context;

    /// <summary>It is being cut off, or was.</summary>
    public bool HasBegun => Volatile.Read(ref _state) == State.Begun;

    /// <summary>The request has ended.</summary>
    /// <returns>True when it did so by itself; false when it was cut off, and then wait until that is <see cref="Over"/>.</returns>
    public bool TryWithdraw() => Interlocked.CompareExchange(ref _state, State.Withdrawn, State.Ordered) != State.Begun;

    /// <summary>Runs callbacks of the user's, so never on the mailbox.</summary>
    public void CarryOut()
    {
        try
        {
            if (Begin())
            {
                request.Context.Abort();
            }
        }
        finally
        {
            _over.SetResult();
        }
    }

    /// <summary>From here on the request counts as let go, whenever it ends.</summary>
    /// <returns>True for the first who begins; false also when the request has ended.</returns>
    private bool Begin()
    {
        if (Interlocked.CompareExchange(ref _state, State.Begun, State.Ordered) != State.Ordered)
        {
            return false;
        }

        engine.NoteWhatIsLetGo(connection, request);
        return true;
    }

    private static class State
    {
        public const int Ordered = 0;
        public const int Withdrawn = 1;
        public const int Begun = 2;
    }
}
