namespace Graceful;

/// <summary>The server's way out, as the application sees it. A singleton service that <c>AddGraceful</c> registers.</summary>
public interface IGraceful
{
    /// <summary>
    /// Fires when the way out begins: long work should finish now. It comes before the listeners close and long
    /// before anything is aborted. After a stop that was undone it is another token, which has not fired: who ended for the first one, or
    /// registered with it, hears of the next stop only by asking for the token again. Any thread.
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

    /// <summary>
    /// The certificate that handshakes get, to replace it while the server runs; also a service of the host by itself. Null without
    /// <see cref="GracefulOptions.UsePem"/>, <see cref="GracefulOptions.UsePfx"/> or <see cref="GracefulOptions.UseCertificate(ServerCertificate)"/>. Any thread.
    /// </summary>
    ServerCertificate? Certificate { get; }

    /// <summary>Whether the way out has begun, for whatever reason.</summary>
    bool IsStopping { get; }

    /// <summary>Why the server leaves or has left; null as long as it does not. Any thread.</summary>
    StopReason? StopReason { get; }

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

    /// <summary>Adds a hook while the server runs: as in the options, as long as its stage has not begun. Any thread.</summary>
    /// <inheritdoc cref="GracefulOptions.OnStopping(string, TimeSpan, Func{StopReason, CancellationToken, Task}, IEnumerable{string}?, HookFailurePolicy)" path="/param"/>
    /// <exception cref="InvalidOperationException">The way out has begun.</exception>
    /// <exception cref="ArgumentException">
    /// The name is empty or another hook's, the limit is out of its bounds, or it is to wait for a hook that does not exist or
    /// runs in the other stage.
    /// </exception>
    void OnStopping(
        string name,
        TimeSpan limit,
        Func<StopReason, CancellationToken, Task> hook,
        IEnumerable<string>? after = null,
        HookFailurePolicy onFailure = HookFailurePolicy.Continue);

    /// <inheritdoc cref="OnStopping(string, TimeSpan, Func{StopReason, CancellationToken, Task}, IEnumerable{string}?, HookFailurePolicy)"/>
    void OnStopping(
        string name,
        TimeSpan limit,
        Action<StopReason, CancellationToken> hook,
        IEnumerable<string>? after = null,
        HookFailurePolicy onFailure = HookFailurePolicy.Continue);

    /// <summary>
    /// Adds a hook while the server runs: as in the options, as long as its stage has not begun, so during the drain as well. The
    /// host's <c>ShutdownTimeout</c> is raised as at start; a stop of the host that is under way already has the old one. Any thread.
    /// </summary>
    /// <inheritdoc cref="GracefulOptions.OnDrained(string, TimeSpan, Func{StopReason, CancellationToken, Task}, IEnumerable{string}?, HookFailurePolicy)" path="/param"/>
    /// <exception cref="InvalidOperationException">The hooks after the drain have begun, or are over.</exception>
    /// <exception cref="ArgumentException">
    /// The name is empty or another hook's, the limit is out of its bounds, or it is to wait for a hook that does not exist or
    /// runs in the other stage.
    /// </exception>
    void OnDrained(
        string name,
        TimeSpan limit,
        Func<StopReason, CancellationToken, Task> hook,
        IEnumerable<string>? after = null,
        HookFailurePolicy onFailure = HookFailurePolicy.Continue);

    /// <inheritdoc cref="OnDrained(string, TimeSpan, Func{StopReason, CancellationToken, Task}, IEnumerable{string}?, HookFailurePolicy)"/>
    void OnDrained(
        string name,
        TimeSpan limit,
        Action<StopReason, CancellationToken> hook,
        IEnumerable<string>? after = null,
        HookFailurePolicy onFailure = HookFailurePolicy.Continue);

    /// <summary>
    /// Starts the way out and does not wait for its end. Any thread, any number of times. As long as nobody else asks (no signal,
    /// no stop of the host), such a stop may be undone until the listeners close: see <see cref="ResumeAsync"/>; until then the
    /// host is not told.
    /// </summary>
    /// <returns>True for the first caller; false when a stop was under way already, or is prevented (see <see cref="GracefulOptions.Prevent"/>).</returns>
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
    /// <returns>
    /// True for the first caller; false when a stop was under way already, and at once when it is prevented, or as soon as it is undone.
    /// </returns>
    /// <exception cref="OperationCanceledException">The token fired, or the host was disposed, before the end.</exception>
    Task<bool> CloseAsync(CancellationToken cancellationToken = default);

    /// <inheritdoc cref="CloseAsync(CancellationToken)"/>
    /// <param name="by">Who asks, <c>the admin page</c> for instance: hooks, log and report say so. Not empty.</param>
    /// <param name="cancellationToken">Gives up waiting; the way out goes on.</param>
    /// <exception cref="ArgumentException">The name is null, empty or blank.</exception>
    Task<bool> CloseAsync(string by, CancellationToken cancellationToken = default);

    /// <summary>
    /// Stops at once, also where a stop is under way: what is in flight is aborted, hooks before the drain are cancelled or skipped, those
    /// after it run, and the exit code is that of a forced stop. It does not wait for the end. Any thread, any number of times.
    /// </summary>
    /// <param name="by">Who asks, if that is to be known; not empty.</param>
    /// <returns>True for the first who asks for a stop; false when one was under way already, or it is prevented.</returns>
    /// <exception cref="ArgumentException">The name is empty or blank.</exception>
    bool CloseNow(string? by = null);

    /// <summary>
    /// Undoes a stop that only the application asked for, as long as its listeners are open (the hooks before the drain run, or it is
    /// a lame duck), or ends a drill. Readiness holds again, hooks that run are cancelled, <see cref="Stopping"/> is a new token;
    /// what hooks have done is the application's to undo, and on the next stop they run again, each when its cancelled run is over. Whoever has
    /// ended because <see cref="Stopping"/> fired is the application's to start again: nobody else tells them. Clients that were told already come
    /// back on new connections. Any thread.
    /// </summary>
    /// <returns>True when the server goes on; false when there was nothing to undo, or no way back.</returns>
    Task<bool> ResumeAsync();

    /// <summary>
    /// Practises the beginning of a way out: for the length of <see cref="GracefulOptions.LameDuck"/> readiness fails, the server
    /// goes on accepting, and every client is told to come back on a new connection; then all is as before. No hook runs and
    /// <see cref="Stopping"/> does not fire. Any thread.
    /// </summary>
    /// <returns>
    /// True at the end of a drill; false when none could begin (the server leaves, or another one is under way), or a stop came.
    /// </returns>
    /// <exception cref="InvalidOperationException">The lame duck of the options is zero.</exception>
    Task<bool> DrillAsync();

    /// <inheritdoc cref="DrillAsync()"/>
    /// <param name="lameDuck">How long; more than zero, at most one hour.</param>
    /// <exception cref="ArgumentOutOfRangeException">The duration is out of its bounds.</exception>
    Task<bool> DrillAsync(TimeSpan lameDuck);
}
