using System.Net.Sockets;

namespace Graceful;

/// <summary>
/// What a <see cref="ConnectionTracker{TConnection}"/> asks of a server. No callback runs where it could hold up the way out; one that
/// fails is logged, and all goes on.
/// </summary>
/// <typeparam name="TConnection">The server's own type of a connection.</typeparam>
public sealed class ConnectionTrackerOptions<TConnection>
    where TConnection : class
{
    /// <summary>
    /// Stops accepting, on the thread pool, when the listeners close. It completes when nobody is accepted any more and whoever was accepted has been
    /// <see cref="ConnectionTracker{TConnection}.Opened"/>: so cancel the accept loop, take who waits in the queue, and close the
    /// listener. It is waited for five seconds at most. Its token is <see cref="IGraceful.Aborting"/>. It may come while accepting is paused, and then
    /// without <see cref="ResumeAccepting"/>: who waits in the queue is taken as well. A <see cref="PauseAccepting"/> that is still under way is waited
    /// for before, two seconds at most.
    /// </summary>
    public required Func<CancellationToken, Task> StopAccepting { get; init; }

    /// <summary>
    /// Closes a connection on which nobody works, in order: after what was written. At most once a connection, on the thread that called
    /// <see cref="ConnectionTracker{TConnection}.Idle"/> or on the thread pool. It may come at the very moment at which the
    /// connection ends by itself.
    /// </summary>
    public required Action<TConnection> Close { get; init; }

    /// <summary>
    /// Ends a connection at once, on the thread pool, whoever works on it: time is over, or the stop was forced. At most once a
    /// connection, maybe after <see cref="Close"/>. The default is <see langword="null"/>: <see cref="Close"/>, unless that was called.
    /// </summary>
    public Action<TConnection>? Abort { get; init; }

    /// <summary>
    /// Tells the client, in the server's own protocol, that what is under way is the last: called on the thread pool, when everybody is told,
    /// for each connection that is active or hijacked then. Whoever becomes active later finds <see cref="IGraceful.IsStopping"/>.
    /// The default is <see langword="null"/>: it is closed untold after its work.
    /// </summary>
    public Action<TConnection>? Ask { get; init; }

    /// <summary>
    /// The TCP socket of a connection, asked for once, by <see cref="ConnectionTracker{TConnection}.Opened"/>: the kernel is asked whether
    /// it is quiet, so that bytes which nobody has read yet are no silence. The default is <see langword="null"/>: what
    /// the tracker is told is all it knows.
    /// </summary>
    public Func<TConnection, Socket?>? SocketOf { get; init; }

    /// <summary>
    /// What reports and the log call a connection, asked for once, by <see cref="ConnectionTracker{TConnection}.Opened"/>. The
    /// default is <see langword="null"/>: its tracker's name and a number.
    /// </summary>
    public Func<TConnection, string>? IdOf { get; init; }

    /// <summary>
    /// Accepts nobody for a while, for the second look before an idle exit: it completes as <see cref="StopAccepting"/> does, but whoever
    /// comes waits in the queue. It is waited for two seconds at most; one that takes longer passes for somebody who came, and goes on. The default is
    /// <see langword="null"/>: accepting goes on meanwhile.
    /// </summary>
    public Func<CancellationToken, Task>? PauseAccepting { get; init; }

    /// <summary>
    /// Accepts again, on the thread pool, after a <see cref="PauseAccepting"/> and never without one: once that has ended, however late it is and also when
    /// it failed. <see cref="StopAccepting"/> may come in its place. Both are given, or none.
    /// </summary>
    public Action? ResumeAccepting { get; init; }

    /// <summary>
    /// The socket that listens, to look whether anybody waits in its queue before an idle exit. The default is
    /// <see langword="null"/>: nobody is seen there.
    /// </summary>
    public Socket? ListeningSocket { get; init; }

    /// <summary>What reports and the log call the tracker, <c>127.0.0.1:7000</c> for instance; not empty. The default is <c>tracker</c>.</summary>
    public string Name { get; init; } = "tracker";

    /// <summary>All that is wrong, each with the option's name and what is allowed.</summary>
    internal IEnumerable<string> Errors()
    {
        if (StopAccepting is null)
        {
            yield return $"{nameof(StopAccepting)} is null; allowed is any function.";
        }

        if (Close is null)
        {
            yield return $"{nameof(Close)} is null; allowed is any function.";
        }

        if (PauseAccepting is null != ResumeAccepting is null)
        {
            var (one, other) = PauseAccepting is null ? (nameof(ResumeAccepting), nameof(PauseAccepting)) : (nameof(PauseAccepting), nameof(ResumeAccepting));
            yield return $"{one} is given without {other}; allowed are both or none.";
        }

        if (string.IsNullOrWhiteSpace(Name))
        {
            yield return $"{nameof(Name)} is '{Name}'; allowed is any text that is not blank.";
        }
    }
}
