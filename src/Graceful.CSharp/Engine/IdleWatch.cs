using Graceful.Core;

namespace Graceful.Engine;

/// <summary>
/// Since when nobody needed the server, for one that has an idle limit. Connections keep their own last use and bring it here when they
/// leave, so no request writes to what is shared.
/// </summary>
internal sealed class IdleWatch(EngineClock clock, bool hijackedIsBusy)
{
    private long _lastUse;

    public bool HijackedIsBusy => hijackedIsBusy;

    public Instant Now => clock.Now;

    /// <summary>There is a server from now on, and it can't have been idle before.</summary>
    public void Started() => Used(Now);

    /// <summary>Whoever used it last is about to be in no table any more, or never was.</summary>
    public void Used(Instant last)
    {
        var seen = Volatile.Read(ref _lastUse);
        while (last.ticks > seen)
        {
            var found = Interlocked.CompareExchange(ref _lastUse, last.ticks, seen);
            if (found == seen)
            {
                return;
            }

            seen = found;
        }
    }

    /// <summary>Walks over all that may keep the server. It may take a while, and nobody is stopped for it.</summary>
    public Event Look(Table<TrackedConnection> connections, Table<WorkToken> works, IEnumerable<IIntake> paused)
    {
        var (busy, last) = (works.Count, 0L);
        foreach (var (connection, _) in connections)
        {
            // In this order: who is seen at rest has said since when.
            if (connection.IsBusyFor(this))
            {
                busy++;
            }
            else
            {
                last = Math.Max(last, connection.LastUse.ticks);
            }
        }

        busy += paused.Count(static intake => intake.IsAnybodyWaiting);

        // Read last: who left during the walk has brought it here before.
        last = Math.Max(last, Volatile.Read(ref _lastUse));
        return Event.NewIdleSampled(busy, Use.quietFor(Instant.NewInstant(last), Now));
    }
}
