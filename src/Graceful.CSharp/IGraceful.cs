namespace Graceful;

/// <summary>The server's way out, as the application sees it. A singleton service that <c>AddGraceful</c> registers.</summary>
public interface IGraceful
{
    /// <summary>
    /// Fires when the way out begins: long work should finish now. It comes before the listeners close and long
    /// before anything is aborted. Safe to use from any thread.
    /// </summary>
    CancellationToken Stopping { get; }

    /// <summary>
    /// Fires when it is over: the grace period has ended or the stop was forced, and what is left is cut off. It does not fire
    /// when everybody left in time. Safe to use from any thread.
    /// </summary>
    CancellationToken Aborting { get; }

    /// <summary>
    /// How long it is until what is left is cut off; zero from then on. Null before the way out, when
    /// <see cref="GracefulOptions.GracePeriod"/> is infinite, and when everybody has left in time.
    /// </summary>
    TimeSpan? TimeLeft { get; }

    /// <summary>The work that is going on, the oldest first: a snapshot. See <see cref="Begin"/>.</summary>
    IReadOnlyList<HeldWork> Work { get; }

    /// <summary>Whether the way out has begun, for whatever reason.</summary>
    bool IsStopping { get; }

    /// <summary>
    /// Completes when the way out is over and its report is in the log, while the host goes on to stop. Never faults; it is
    /// cancelled when the host is disposed without having been stopped.
    /// </summary>
    Task<ShutdownReport> Completion { get; }

    /// <summary>
    /// Begins work that is not a request, a message from a queue for instance: like a request it is waited for until it is
    /// disposed or the grace period ends, also when it begins during the drain. Any thread.
    /// </summary>
    /// <param name="name">What reports call it; not empty. Names need not be unique.</param>
    /// <returns>
    /// Dispose it when the work is done; more than once is harmless. Work that begins when everybody has left, or was
    /// cut off, is not waited for.
    /// </returns>
    /// <exception cref="ArgumentException">The name is null, empty or blank.</exception>
    IDisposable Begin(string name);

    /// <summary>Runs work that is not a request on the thread pool, tracked as by <see cref="Begin"/> from this call on.</summary>
    /// <param name="name">What reports call it; not empty. Names need not be unique.</param>
    /// <param name="work">The work. Its token is <see cref="Aborting"/>; work that can be cut short looks at <see cref="Stopping"/> too.</param>
    /// <returns>The work's own end: its result, its error, or its cancellation.</returns>
    /// <exception cref="ArgumentException">The name is null, empty or blank.</exception>
    /// <exception cref="ArgumentNullException">The work is null.</exception>
    Task Run(string name, Func<CancellationToken, Task> work);

    /// <inheritdoc cref="Run(string, Func{CancellationToken, Task})"/>
    /// <typeparam name="T">What the work results in.</typeparam>
    Task<T> Run<T>(string name, Func<CancellationToken, Task<T>> work);

    /// <summary>
    /// Watches a component that the server cannot do without: when it fails, the server leaves in order, and its exit code
    /// is 1 or graver. That it ends, or is cancelled, is no failure. Every <c>BackgroundService</c> of the host is watched by
    /// itself, unless the host ignores their errors.
    /// </summary>
    /// <param name="name">What reports call it; not empty.</param>
    /// <param name="component">The component's whole run.</param>
    /// <exception cref="ArgumentException">The name is null, empty or blank.</exception>
    /// <exception cref="ArgumentNullException">The component is null.</exception>
    void Guard(string name, Task component);

    /// <summary>Starts the way out and does not wait for its end. Any thread, any number of times.</summary>
    /// <returns>True for the first caller; false when a stop was under way already.</returns>
    bool Close();

    /// <inheritdoc cref="Close()"/>
    /// <param name="by">Who asks, <c>the admin page</c> for instance: hooks, log and report say so. Not empty.</param>
    /// <exception cref="ArgumentException">The name is null, empty or blank.</exception>
    bool Close(string by);

    /// <summary>
    /// Starts the way out and waits for its end. Any thread, any number of times: later callers join the first one's
    /// stop and wait for the same end. Inside a hook it does not wait, because the hook itself is waited for; inside
    /// a request or tracked work use <see cref="Close()"/>, or these and the drain wait for each other until the grace period ends.
    /// </summary>
    /// <param name="cancellationToken">Gives up waiting; the way out goes on.</param>
    /// <returns>True for the first caller; false when a stop was under way already.</returns>
    /// <exception cref="OperationCanceledException">The token fired, or the host was disposed, before the end.</exception>
    Task<bool> CloseAsync(CancellationToken cancellationToken = default);

    /// <inheritdoc cref="CloseAsync(CancellationToken)"/>
    /// <param name="by">Who asks, <c>the admin page</c> for instance: hooks, log and report say so. Not empty.</param>
    /// <param name="cancellationToken">Gives up waiting; the way out goes on.</param>
    /// <exception cref="ArgumentException">The name is null, empty or blank.</exception>
    Task<bool> CloseAsync(string by, CancellationToken cancellationToken = default);
}
