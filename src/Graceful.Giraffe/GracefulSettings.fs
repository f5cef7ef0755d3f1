namespace Graceful.Giraffe

open System
open System.Threading
open System.Threading.Tasks
open Graceful
open Microsoft.Extensions.DependencyInjection

/// <summary>
/// The options of Graceful as functions that <c>&gt;&gt;</c> joins, for <c>addGraceful</c>. Bounds and defaults are those of <see cref="T:Graceful.GracefulOptions"/>; what
/// is out of bounds fails when the host is built, with the option's name, its value and what is allowed.
/// </summary>
[<AutoOpen>]
module GracefulSettings =

    /// <summary>
    /// Makes the application leave without losing a request: <c>AddGraceful</c> with options as F# functions. A further call only configures, so
    /// that each part of an application may add its own hooks.
    /// </summary>
    /// <example>
    /// <code>
    /// builder.Services
    /// |&gt; addGraceful (
    ///     lameDuck (TimeSpan.FromSeconds 5.0)
    ///     &gt;&gt; onDrained "flush" (TimeSpan.FromSeconds 5.0) (fun reason token -&gt; task { do! journal.FlushAsync token })
    /// )
    /// |&gt; ignore
    /// </code>
    /// </example>
    /// <param name="configure">Changes the options; <c>id</c> keeps the defaults.</param>
    /// <param name="services">The services of the host, <c>builder.Services</c> for instance.</param>
    /// <returns>The services.</returns>
    let addGraceful (configure: GracefulOptions -> GracefulOptions) (services: IServiceCollection) =
        services.AddGraceful(fun options -> configure options |> ignore)

    /// <summary>
    /// Adds a hook that runs when the way out begins, while everything still works. Hooks added so run one after the other, in the order in
    /// which they were added; one that fails or takes too long is reported, and the next one runs.
    /// </summary>
    /// <param name="name">What the report calls it; not empty, and unique among all hooks.</param>
    /// <param name="limit">After this time its token fires and it is no longer waited for; more than zero, at most one day.</param>
    /// <param name="hook">The work, a <c>task { }</c> or any other task. Its token also fires when the stop is forced or undone.</param>
    /// <param name="options">The options.</param>
    let onStopping (name: string) (limit: TimeSpan) (hook: StopReason -> CancellationToken -> #Task) (options: GracefulOptions) =
        options.OnStopping(name, limit, Func<_, _, _>(fun reason token -> hook reason token :> Task))

    /// <summary>
    /// Adds a hook that runs when the last connection has left or was aborted, whatever happened before. Hooks added so run one after
    /// the other, in the order in which they were added; one that fails or takes too long is reported, and the next one runs.
    /// </summary>
    /// <param name="name">What the report calls it; not empty, and unique among all hooks.</param>
    /// <param name="limit">After this time its token fires and it is no longer waited for; more than zero, at most one day.</param>
    /// <param name="hook">The work, a <c>task { }</c> or any other task. Its token also fires when a second signal comes.</param>
    /// <param name="options">The options.</param>
    let onDrained (name: string) (limit: TimeSpan) (hook: StopReason -> CancellationToken -> #Task) (options: GracefulOptions) =
        options.OnDrained(name, limit, Func<_, _, _>(fun reason token -> hook reason token :> Task))

    /// <summary>As <c>onStopping</c>, and says for whom the hook waits and what follows when it fails.</summary>
    /// <param name="after">The names of the hooks of the same stage that it waits for; none of them, to run at once beside the others.</param>
    /// <param name="onFailure">What follows when it fails or takes too long.</param>
    /// <param name="name">What the report calls it; not empty, and unique among all hooks.</param>
    /// <param name="limit">After this time its token fires and it is no longer waited for; more than zero, at most one day.</param>
    /// <param name="hook">The work, a <c>task { }</c> or any other task. Its token also fires when the stop is forced or undone.</param>
    /// <param name="options">The options.</param>
    let onStoppingAfter
        (after: string seq)
        (onFailure: HookFailurePolicy)
        (name: string)
        (limit: TimeSpan)
        (hook: StopReason -> CancellationToken -> #Task)
        (options: GracefulOptions)
        =
        options.OnStopping(name, limit, Func<_, _, _>(fun reason token -> hook reason token :> Task), after, onFailure)

    /// <summary>As <c>onDrained</c>, and says for whom the hook waits and what follows when it fails.</summary>
    /// <param name="after">The names of the hooks of the same stage that it waits for; none of them, to run at once beside the others.</param>
    /// <param name="onFailure">What follows when it fails or takes too long.</param>
    /// <param name="name">What the report calls it; not empty, and unique among all hooks.</param>
    /// <param name="limit">After this time its token fires and it is no longer waited for; more than zero, at most one day.</param>
    /// <param name="hook">The work, a <c>task { }</c> or any other task. Its token also fires when a second signal comes.</param>
    /// <param name="options">The options.</param>
    let onDrainedAfter
        (after: string seq)
        (onFailure: HookFailurePolicy)
        (name: string)
        (limit: TimeSpan)
        (hook: StopReason -> CancellationToken -> #Task)
        (options: GracefulOptions)
        =
        options.OnDrained(name, limit, Func<_, _, _>(fun reason token -> hook reason token :> Task), after, onFailure)

    /// <summary>Lets somebody prevent stops that the application asks for; signals, the host and failures are never prevented.</summary>
    /// <param name="name">What the log calls whoever prevents; not empty.</param>
    /// <param name="whyNot">Says why there must be no stop now, or <c>None</c> when there may. It is waited for; one that throws prevents nothing.</param>
    /// <param name="options">The options.</param>
    let prevent (name: string) (whyNot: StopReason -> string option) (options: GracefulOptions) =
        options.Prevent(name, Func<_, _>(whyNot >> Option.toObj))

    /// <summary>What the process exits with, by outcome; 0 to 3 by default.</summary>
    /// <param name="set">Sets the codes, each between 0 and 255: <c>fun codes -&gt; codes.TimedOut &lt;- 0</c> for instance.</param>
    /// <param name="options">The options.</param>
    let exitCodes (set: ExitCodes -> unit) (options: GracefulOptions) =
        set options.ExitCodes
        options

    /// <summary>How long the server goes on accepting after its readiness failed; zero, the default, closes at once.</summary>
    /// <param name="duration">Between zero and one hour, and less than the grace period, of which it is a part.</param>
    /// <param name="options">The options.</param>
    let lameDuck (duration: TimeSpan) (options: GracefulOptions) =
        options.LameDuck <- duration
        options

    /// <summary>How long a connection that nobody works on must have been silent before it is closed; 500 ms by default.</summary>
    /// <param name="duration">Between zero, which closes at once, and one minute.</param>
    /// <param name="options">The options.</param>
    let quietPeriod (duration: TimeSpan) (options: GracefulOptions) =
        options.QuietPeriod <- duration
        options

    /// <summary>The whole budget, from the trigger to the moment when what is left is aborted; 30 s by default.</summary>
    /// <param name="duration">More than zero, at most one day, or <c>Timeout.InfiniteTimeSpan</c> for no limit.</param>
    /// <param name="options">The options.</param>
    let gracePeriod (duration: TimeSpan) (options: GracefulOptions) =
        options.GracePeriod <- duration
        options

    /// <summary>A signal that comes within this time after another one aborts what is left at once; 5 s by default.</summary>
    /// <param name="duration">Between zero, which ignores it, and one minute.</param>
    /// <param name="options">The options.</param>
    let doubleKickWindow (duration: TimeSpan) (options: GracefulOptions) =
        options.DoubleKickWindow <- duration
        options

    /// <summary>The server leaves by itself when nobody needed it for this long, also when nobody ever did; by default it stays.</summary>
    /// <param name="duration">Between one millisecond and 30 days.</param>
    /// <param name="options">The options.</param>
    let idleLimit (duration: TimeSpan) (options: GracefulOptions) =
        options.IdleLimit <- Nullable duration
        options

    /// <summary>Whether a WebSocket, or whatever else a connection was upgraded to, keeps a server with an idle limit; true by default.</summary>
    /// <param name="isBusy">False lets a server leave that has nothing but such connections.</param>
    /// <param name="options">The options.</param>
    let hijackedIsBusy (isBusy: bool) (options: GracefulOptions) =
        options.HijackedIsBusy <- isBusy
        options

    /// <summary>How long handshakes that are half done get to finish before a listener is closed; 100 ms by default.</summary>
    /// <param name="duration">Between zero and ten seconds; at least a round trip to the clients.</param>
    /// <param name="options">The options.</param>
    let settleTime (duration: TimeSpan) (options: GracefulOptions) =
        options.SettleTime <- duration
        options

    /// <summary>What keeps new connections out of a listener that closes; by default the best that works here.</summary>
    /// <param name="method">The method.</param>
    /// <param name="options">The options.</param>
    let intake (method: IntakeMethod) (options: GracefulOptions) =
        options.Intake <- Nullable method
        options

    /// <summary>Observes connections that change their phase; by default nobody does.</summary>
    /// <param name="observe">Takes the connection's id, the phase it leaves and the one it enters. Any thread; what it throws is logged.</param>
    /// <param name="options">The options.</param>
    let onConnection (observe: string -> ConnectionPhase -> ConnectionPhase -> unit) (options: GracefulOptions) =
        options.StateHandler <- ConnectionStateHandler(fun id from into -> observe id from into)
        options

    /// <summary>Records the way out in a file, for a replay; by default there is no record.</summary>
    /// <param name="file">The file; one that is there already is kept beside it as <c>.old</c>.</param>
    /// <param name="options">The options.</param>
    let recordTo (file: string) (options: GracefulOptions) =
        options.Record <- file
        options

    /// <summary>How large a record may grow; 10 MiB by default.</summary>
    /// <param name="bytes">Between 4096 and 1 GiB, in bytes.</param>
    /// <param name="options">The options.</param>
    let recordLimit (bytes: int64) (options: GracefulOptions) =
        options.RecordLimit <- bytes
        options

    /// <summary>A signal starts the way out, as SIGTERM, SIGINT and SIGQUIT do by default.</summary>
    /// <param name="signal">Its name or number: <c>SIGUSR1</c>, <c>USR1</c> and <c>10</c> are one.</param>
    /// <param name="options">The options.</param>
    let stopOn (signal: string) (options: GracefulOptions) =
        options.Signals[signal] <- SignalAction.Stop
        options

    /// <summary>A signal aborts what is left at once.</summary>
    /// <param name="signal">Its name or number: <c>SIGUSR1</c>, <c>USR1</c> and <c>10</c> are one.</param>
    /// <param name="options">The options.</param>
    let stopNowOn (signal: string) (options: GracefulOptions) =
        options.Signals[signal] <- SignalAction.StopNow
        options

    /// <summary>A signal calls the application, to reopen its logs for instance, and does not stop it.</summary>
    /// <param name="signal">Its name or number: <c>SIGHUP</c>, <c>HUP</c> and <c>1</c> are one.</param>
    /// <param name="handler">Takes the signal's name, one call after the other; what it throws is logged.</param>
    /// <param name="options">The options.</param>
    let onSignal (signal: string) (handler: string -> #Task) (options: GracefulOptions) =
        options.Signals[signal] <- SignalAction.Call(Func<string, Task>(fun name -> handler name :> Task))
        options

    /// <summary>A signal does what it does by itself, as if there were no Graceful.</summary>
    /// <param name="signal">Its name as it was given: <c>SIGQUIT</c> for instance, one of the three defaults.</param>
    /// <param name="options">The options.</param>
    let leaveSignal (signal: string) (options: GracefulOptions) =
        options.Signals.Remove signal |> ignore
        options

    /// <summary>What the platform gives between its SIGTERM and its SIGKILL; a budget that does not fit is a warning at start.</summary>
    /// <param name="duration">More than zero, at most 30 days; not known by default.</param>
    /// <param name="options">The options.</param>
    let platformGracePeriod (duration: TimeSpan) (options: GracefulOptions) =
        options.PlatformGracePeriod <- Nullable duration
        options

    /// <summary>Whether a service manager that wants to know (systemd, <c>Type=notify</c>) is told how the server is; true by default.</summary>
    /// <param name="notify">False for a host that is not the whole service.</param>
    /// <param name="options">The options.</param>
    let notifyServiceManager (notify: bool) (options: GracefulOptions) =
        options.NotifyServiceManager <- notify
        options

    /// <summary>Whether the process is this server's, so that its exit code and its signals are; true by default.</summary>
    /// <param name="owns">False for one host of several, or one in a process that goes on after it.</param>
    /// <param name="options">The options.</param>
    let ownsProcess (owns: bool) (options: GracefulOptions) =
        options.OwnsProcess <- owns
        options

    /// <summary>How much web servers may ask of endpoints that speak FastCGI (<c>UseFastCgi</c>).</summary>
    /// <param name="set">Changes the limits.</param>
    /// <param name="options">The options.</param>
    let fastCgiLimits (set: FastCgiLimits -> unit) (options: GracefulOptions) =
        set options.FastCgi
        options

    /// <summary>The clock of the way out; the system's by default, and a test's own in tests.</summary>
    /// <param name="clock">The clock.</param>
    /// <param name="options">The options.</param>
    let timeProvider (clock: TimeProvider) (options: GracefulOptions) =
        options.TimeProvider <- clock
        options

    /// <summary>
    /// Has Kestrel serve from the sockets that a service manager gave to this process, in the place of its endpoints; see <see cref="M:Graceful.GracefulOptions.UseSocketActivation"/>.
    /// </summary>
    /// <param name="options">The options.</param>
    let useSocketActivation (options: GracefulOptions) = options.UseSocketActivation()

    /// <summary>
    /// Has Kestrel serve one connection that was accepted by somebody else, and nothing more; see <see cref="M:Graceful.GracefulOptions.UseAcceptedConnection(Graceful.AcceptedConnection,System.String)"/>.
    /// </summary>
    /// <param name="connection">The connection; <c>AcceptedConnection.Current</c> is the one that was given to this process.</param>
    /// <param name="options">The options.</param>
    let useAcceptedConnection (connection: AcceptedConnection) (options: GracefulOptions) = options.UseAcceptedConnection connection
