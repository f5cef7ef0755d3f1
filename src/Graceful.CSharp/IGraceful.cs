namespace Graceful;

/// <summary>The server's way out, as the application sees it. A singleton service that <c>AddGraceful</c> registers.</summary>
public interface IGraceful
{
    /// <summary>
    /// Fires when the way out begins: long work should finish now. It comes before the listeners close and long
    /// before anything is aborted. Safe to use from any thread.
    /// </summary>
    CancellationToken Stopping { get; }

    /// <summary>Whether the way out has begun, for whatever reason.</summary>
    bool IsStopping { get; }

    /// <summary>
    /// Completes when the way out is over and its report is in the log, while the host goes on to stop. Never faults; it is
    /// cancelled when the host is disposed without having been stopped.
    /// </summary>
    Task<ShutdownReport> Completion { get; }

    /// <summary>Starts the way out and does not wait for its end. Any thread, any number of times.</summary>
    /// <returns>True for the first caller; false when a stop was under way already.</returns>
    bool Close();

    /// <summary>
    /// Starts the way out and waits for its end. Any thread, any number of times: later callers join the first one's
    /// stop and wait for the same end. Inside a hook it does not wait, because the hook itself is waited for; inside
    /// a request use <see cref="Close"/>, or the request and the drain wait for each other until the grace period ends.
    /// </summary>
    /// <param name="cancellationToken">Gives up waiting; the way out goes on.</param>
    /// <returns>True for the first caller; false when a stop was under way already.</returns>
    /// <exception cref="OperationCanceledException">The token fired, or the host was disposed, before the end.</exception>
    Task<bool> CloseAsync(CancellationToken cancellationToken = default);
}
