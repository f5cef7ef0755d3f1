using System.Globalization;
using Graceful.Core;
using Graceful.Engine;
using Graceful.Posix;
using Microsoft.FSharp.Collections;
using Microsoft.FSharp.Core;

namespace Graceful;

/// <summary>How a server leaves. Every default is valid; what is not is refused when the host is built.</summary>
public sealed class GracefulOptions
{
    /// <summary>Of a drill as well.</summary>
    internal static readonly TimeSpan MostLameDuck = TimeSpan.FromHours(1);

    /// <summary>What an idle limit may be, in words.</summary>
    internal const string IdleLimits = "between 00:00:00.0010000 and 30.00:00:00";

    private readonly List<HookRegistration> _hooks = [];
    private readonly List<Prevention> _preventions = [];

    /// <summary>
    /// How long the server goes on accepting after its readiness failed, so that load balancers find out; meanwhile every
    /// response asks its client to come back on a new connection. Between zero and one hour, and less than
    /// <see cref="GracePeriod"/>, of which it is a part; the default is zero, which means that the listeners are closed at once.
    /// </summary>
    public TimeSpan LameDuck { get; set; } = TimeSpan.Zero;

    /// <summary>
    /// How long a connection that nobody works on must have been silent before it is closed, so that no request meets
    /// the close on the wire. Between zero and one minute; the default is 500 ms; zero closes at once, at the risk of
    /// cutting off a request that is on its way.
    /// </summary>
    public TimeSpan QuietPeriod { get; set; } = TimeSpan.FromMilliseconds(500);

    /// <summary>
    /// The whole budget, from the trigger to the moment when what is left is aborted; the hooks of
    /// <see cref="OnDrained(string, TimeSpan, Func{StopReason, CancellationToken, Task}, IEnumerable{string}?, HookFailurePolicy)"/> come after it. More than
    /// zero, at most one day, or <see cref="Timeout.InfiniteTimeSpan"/> for no limit; the default is 30 s.
    /// </summary>
    public TimeSpan GracePeriod { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>
    /// A signal that comes within this time after another one aborts what is left at once. During the hooks of
    /// <see cref="OnDrained(string, TimeSpan, Func{StopReason, CancellationToken, Task}, IEnumerable{string}?, HookFailurePolicy)"/> it cuts those that run; when
    /// the way out is over and the host still stops, it ends the process. Between zero and one minute; the default is
    /// 5 s; zero ignores further signals.
    /// </summary>
    public TimeSpan DoubleKickWindow { get; set; } = TimeSpan.FromSeconds(5);

    /// <summary>
    /// The server leaves by itself, with the cause <see cref="StopCause.Idle"/> and the exit code of a clean way out, when nobody needed it for
    /// this long; also when nobody ever did since its start. What counts is requests, work (<see cref="IGraceful.Begin"/>), connections that
    /// have not asked for anything yet while they are open, and hijacked ones, see <see cref="HijackedIsBusy"/>. Idle keep-alive connections do
    /// not count, nor do requests whose endpoint says <see cref="DrainMode.NotCounted"/>, as health probes do. Before it leaves it pauses
    /// accepting and looks once more; who connects meanwhile calls it back and is served. There is no <see cref="LameDuck"/> then. Between one
    /// millisecond and 30 days; the default is <see langword="null"/>: it stays.
    /// </summary>
    public TimeSpan? IdleLimit { get; set; }

    /// <summary>
    /// Whether a hijacked connection, a WebSocket for instance, counts for the <see cref="IdleLimit"/> as long as it is open. The default is
    /// true; false lets a server leave that has nothing but such connections: they are ended as on any way out.
    /// </summary>
    public bool HijackedIsBusy { get; set; } = true;

    /// <summary>
    /// How long handshakes that are half done get to finish after new ones were kept out, before a listener is closed;
    /// at least a round trip to the clients. Between zero and ten seconds; the default is 100 ms; zero closes at once. It
    /// has no effect where newcomers can't be kept out: the last call, Unix sockets, sockets that somebody else opened.
    /// </summary>
    public TimeSpan SettleTime { get; set; } = TimeSpan.FromMilliseconds(100);

    /// <summary>
    /// What keeps new connections out of a listener that closes. The default is <see langword="null"/>: the best that
    /// works here, which the report names. One that is chosen and refused by the system falls back to
    /// <see cref="IntakeMethod.LastCall"/>, and the report says why.
    /// </summary>
    public IntakeMethod? Intake { get; set; }

    /// <summary>Observes connections that change their phase. The default is <see langword="null"/>, which costs nothing.</summary>
    public ConnectionStateHandler? StateHandler { get; set; }

    /// <summary>
    /// The file in which the way out is recorded, so that it can be replayed step by step when somebody asks what happened.
    /// The default is <see langword="null"/>: no record, at no cost. In it is one JSON line for each event of the lifecycle,
    /// but of looks for the <see cref="IdleLimit"/> that found the server in use the last one only, and, from the trigger on, for each step of the gate and of every connection; of a request its method, the pattern of its
    /// route and its age, and of a hook or component its name and the message it failed with. A file that is there already is kept beside it
    /// as <c>.old</c>. A file that can't be opened fails the start; one that can't be written any more gives a warning.
    /// </summary>
    public string? Record { get; set; }

    /// <summary>
    /// How large a record may grow, in bytes. Between 4096 and 1 GiB; the default is 10 MiB, which is room for the ways out
    /// of some ten thousand connections. When nine tenths are full, connections are left out and the lifecycle goes on; both
    /// ends are said in the file.
    /// </summary>
    public long RecordLimit { get; set; } = 10 << 20;

    /// <summary>
    /// What signals do, by name or number: <c>SIGTERM</c>, <c>TERM</c> and <c>15</c> are one. The defaults are SIGTERM, SIGINT and
    /// SIGQUIT, each with <see cref="SignalAction.Stop"/>; one that is taken out does what it does by itself. Signals that this
    /// system does not know are ignored, with a warning; those that nobody may handle, SIGKILL, SIGSTOP and those that the
    /// runtime lives on, are refused when the host is built. Names other than these three and SIGHUP need Linux.
    /// </summary>
    public IDictionary<string, SignalAction> Signals { get; } = new Dictionary<string, SignalAction>(StringComparer.OrdinalIgnoreCase)
    {
        ["SIGTERM"] = SignalAction.Stop,
        ["SIGINT"] = SignalAction.Stop,
        ["SIGQUIT"] = SignalAction.Stop,
    };

    /// <summary>
    /// How long the platform waits between its SIGTERM and its SIGKILL: a pod's <c>terminationGracePeriodSeconds</c>, less what
    /// its <c>preStop</c> hook takes, or a unit's <c>TimeoutStopSec</c>. A process is not told either, so it is only known if it is
    /// set here. More than zero, at most 30 days; the default is <see langword="null"/>: not known. It limits nothing: when the
    /// <see cref="GracePeriod"/> and the limits of the hooks after it do not fit into it, the start logs a warning with the sum.
    /// </summary>
    public TimeSpan? PlatformGracePeriod { get; set; }

    /// <summary>
    /// Whether a service manager that wants to know (systemd, <c>Type=notify</c>) is told when the server is ready, when it
    /// leaves and what it waits for, and that it is alive. The default is true, which does nothing where the environment has no
    /// NOTIFY_SOCKET. False is for a host that is not the whole service: the service manager takes its end for that of the process.
    /// </summary>
    public bool NotifyServiceManager { get; set; } = true;

    /// <summary>
    /// The exit code for each way it can go: clean 0, failed 1, timed out 2, forced 3, if nothing else is set here. It is what
    /// <see cref="Environment.ExitCode"/>, the report and monitoring say; the record says the core's own, 0 to 3.
    /// </summary>
    public ExitCodes ExitCodes { get; } = new();

    /// <summary>
    /// Whether the process is this server's. Then the exit code is put into <see cref="Environment.ExitCode"/>; a further signal within
    /// <see cref="DoubleKickWindow"/> ends a process whose way out is over, and so does a start that hangs when time runs out; the
    /// signals that were heard stay owned up to the exit; and when connections begin to be closed, the garbage collector is asked to wait
    /// until 16 MiB more are in use (<see cref="GC.TryStartNoGCRegion(long, bool)"/>). The default is true; false is for a host beside others, or one in a
    /// process that goes on after it: then nothing but the server ends, and its report says the exit code.
    /// </summary>
    public bool OwnsProcess { get; set; } = true;

    /// <summary>The clock of the way out. The default is <see cref="TimeProvider.System"/>; tests bring their own.</summary>
    public TimeProvider TimeProvider { get; set; } = TimeProvider.System;

    /// <summary>What a service manager gave to this process, to be served; null when it is to be ignored.</summary>
    internal SocketActivation? Activation { get; set; }

    /// <summary>The one connection to serve; null when this is a server like others.</summary>
    internal AcceptedConnection? Connection { get; private set; }

    /// <summary>The name of the endpoint that it is for; null for the first.</summary>
    internal string? ConnectionEndpoint { get; private set; }

    internal IReadOnlyList<HookRegistration> Hooks => _hooks;

    internal IReadOnlyList<Prevention> Preventions => _preventions;

    /// <summary>
    /// Has Kestrel serve from the sockets that a service manager gave to this process (systemd's socket activation), in the place of its endpoints, with
    /// TLS and protocols as they are configured there. When none were given nothing changes, and the endpoints are bound.
    /// </summary>
    /// <returns>These options.</returns>
    /// <remarks>
    /// <para>
    /// One endpoint serves all sockets. Of several, each serves the socket of its own address, or else the next one that is left, in the order of the configuration;
    /// their numbers must match. As soon as a socket has the name (<c>FileDescriptorName=</c>) of an endpoint in the configuration, <c>Kestrel:Endpoints:NAME</c>, names
    /// alone count: each endpoint serves its namesakes, all sockets must have one, and endpoints without a namesake are bound as they are configured. What does not fit
    /// fails the start with an <see cref="IOException"/> that says what was given.
    /// </para>
    /// <para>
    /// The sockets stay the service manager's: on the way out nothing is taken from their queues and nothing is done to them, so that who waits there is served
    /// by the next start. Endpoints of other transports (QUIC, named pipes) are bound as they are configured.
    /// </para>
    /// </remarks>
    /// <exception cref="InvalidOperationException">
    /// What was given can't be used; see <see cref="SocketActivation.Current"/>. Or it is a connection, which <see cref="UseAcceptedConnection"/> serves.
    /// </exception>
    public GracefulOptions UseSocketActivation()
    {
        return UseSocketActivation(SocketActivation.Current);
    }

    internal GracefulOptions UseSocketActivation(SocketActivation given)
    {
        Activation = given.Connection is null ? given : throw new InvalidOperationException(
            $"This process was given one connection that is accepted already (Accept=yes); allowed are sockets that listen. The connection is served with {nameof(UseAcceptedConnection)}({nameof(AcceptedConnection)}.{nameof(AcceptedConnection.Current)}).");
        return this;
    }

    /// <summary>
    /// Has Kestrel serve one connection that was accepted by somebody else, with TLS and protocols as an endpoint is configured, and listen nowhere. When it has ended, the
    /// server leaves with <see cref="StopCause.ConnectionEnded"/>, whoever closed it and however.
    /// </summary>
    /// <param name="connection">The connection; <see cref="AcceptedConnection.Current"/> is the one that was given to this process.</param>
    /// <param name="endpoint">The name of the endpoint in the configuration, <c>Kestrel:Endpoints:NAME</c>, whose TLS and protocols hold; null for the first endpoint there is.</param>
    /// <returns>These options.</returns>
    /// <exception cref="ArgumentNullException">The connection is null.</exception>
    /// <remarks>
    /// It can be served once: a second server fails to start with an <see cref="InvalidOperationException"/>. One that fails to start, or ends before it has served it, closes it.
    /// It can't be combined with sockets of <see cref="UseSocketActivation()"/>.
    /// </remarks>
    public GracefulOptions UseAcceptedConnection(AcceptedConnection connection, string? endpoint = null)
    {
        ArgumentNullException.ThrowIfNull(connection);
        (Connection, ConnectionEndpoint) = (connection, endpoint);
        return this;
    }

    /// <summary>
    /// Adds a hook that runs when the way out begins, while everything still works. Hooks that name
    /// nobody in <paramref name="after"/> run one after the other, as they were added; one that names those it waits for runs as soon as these are
    /// over, beside whoever else does. One that fails or takes too long is over too, and is reported.
    /// </summary>
    /// <param name="name">What the report calls it; not empty, and unique among all hooks.</param>
    /// <param name="limit">After this time its token fires and it is no longer waited for; more than zero, at most one day.</param>
    /// <param name="hook">The work, on the thread pool. Its token also fires when the stop is forced or undone.</param>
    /// <param name="after">
    /// The names of the hooks of the same stage that it waits for, added before it or after; none of them, to run at once. Null
    /// for the hooks added before it that name nobody either. A circle, and a name that is unknown, fail when the host is built.
    /// </param>
    /// <param name="onFailure">What follows when it fails or takes too long.</param>
    /// <returns>These options.</returns>
    /// <exception cref="ArgumentNullException">The name, the hook, or a name that it waits for is null.</exception>
    public GracefulOptions OnStopping(
        string name,
        TimeSpan limit,
        Func<StopReason, CancellationToken, Task> hook,
        IEnumerable<string>? after = null,
        HookFailurePolicy onFailure = HookFailurePolicy.Continue) => Add(name, afterDrain: false, limit, hook, after, onFailure);

    /// <inheritdoc cref="OnStopping(string, TimeSpan, Func{StopReason, CancellationToken, Task}, IEnumerable{string}?, HookFailurePolicy)"/>
    public GracefulOptions OnStopping(
        string name,
        TimeSpan limit,
        Action<StopReason, CancellationToken> hook,
        IEnumerable<string>? after = null,
        HookFailurePolicy onFailure = HookFailurePolicy.Continue) => Add(name, afterDrain: false, limit, HookRegistration.Awaited(hook), after, onFailure);

    /// <summary>
    /// Adds a hook that runs when the last connection has left or was aborted, whatever happened before. Hooks that
    /// name nobody in <paramref name="after"/> run one after the other, as they were added; one that names those it waits for runs as soon as these are
    /// over, beside whoever else does. One that fails or takes too long is over too, and is reported.
    /// </summary>
    /// <param name="name">What the report calls it; not empty, and unique among all hooks.</param>
    /// <param name="limit">After this time its token fires and it is no longer waited for; more than zero, at most one day.</param>
    /// <param name="hook">The work, on the thread pool. Its token also fires when a second signal comes.</param>
    /// <param name="after">
    /// The names of the hooks of the same stage that it waits for, added before it or after; none of them, to run at once. Null
    /// for the hooks added before it that name nobody either. A circle, and a name that is unknown, fail when the host is built.
    /// </param>
    /// <param name="onFailure">What follows when it fails or takes too long.</param>
    /// <returns>These options.</returns>
    /// <exception cref="ArgumentNullException">The name, the hook, or a name that it waits for is null.</exception>
    public GracefulOptions OnDrained(
        string name,
        TimeSpan limit,
        Func<StopReason, CancellationToken, Task> hook,
        IEnumerable<string>? after = null,
        HookFailurePolicy onFailure = HookFailurePolicy.Continue) => Add(name, afterDrain: true, limit, hook, after, onFailure);

    /// <inheritdoc cref="OnDrained(string, TimeSpan, Func{StopReason, CancellationToken, Task}, IEnumerable{string}?, HookFailurePolicy)"/>
    public GracefulOptions OnDrained(
        string name,
        TimeSpan limit,
        Action<StopReason, CancellationToken> hook,
        IEnumerable<string>? after = null,
        HookFailurePolicy onFailure = HookFailurePolicy.Continue) => Add(name, afterDrain: true, limit, HookRegistration.Awaited(hook), after, onFailure);

    /// <summary>
    /// Lets somebody prevent stops that the application asks for, by <see cref="IGraceful.Close()"/> and its like. Signals, the
    /// host, and components that fail are never prevented. It is asked before anything of the stop is to be seen.
    /// </summary>
    /// <param name="name">What the log calls whoever prevents; not empty.</param>
    /// <param name="whyNot">
    /// Says why there must be no stop now, or null when there may. Called on the thread that asks, which waits for it, so it should
    /// only look at what is known. One that throws is logged, and prevents nothing.
    /// </param>
    /// <returns>These options.</returns>
    /// <exception cref="ArgumentException">The name is null, empty or blank.</exception>
    /// <exception cref="ArgumentNullException"><paramref name="whyNot"/> is null.</exception>
    public GracefulOptions Prevent(string name, Func<StopReason, string?> whyNot)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(name);
        ArgumentNullException.ThrowIfNull(whyNot);
        _preventions.Add(new Prevention(name, whyNot));
        return this;
    }

    /// <summary>All that is wrong, each with the option's name, its value and what is allowed.</summary>
    internal IEnumerable<string> Errors()
    {
        var day = TimeSpan.FromDays(1);
        if (Outside(LameDuck, MostLameDuck))
        {
            yield return Text(nameof(LameDuck), LameDuck, "between zero and 01:00:00");
        }

        if (Outside(QuietPeriod, TimeSpan.FromMinutes(1)))
        {
            yield return Text(nameof(QuietPeriod), QuietPeriod, "between zero and 00:01:00");
        }

        if (GracePeriod != Timeout.InfiniteTimeSpan && (GracePeriod == TimeSpan.Zero || Outside(GracePeriod, day)))
        {
            yield return Text(nameof(GracePeriod), GracePeriod, "more than zero and at most 1.00:00:00, or Timeout.InfiniteTimeSpan");
        }

        if (GracePeriod != Timeout.InfiniteTimeSpan && GracePeriod > TimeSpan.Zero && LameDuck >= GracePeriod)
        {
            yield return Text(nameof(LameDuck), LameDuck, $"less than the {nameof(GracePeriod)} of {GracePeriod}, which it is part of");
        }

        if (Outside(DoubleKickWindow, TimeSpan.FromMinutes(1)))
        {
            yield return Text(nameof(DoubleKickWindow), DoubleKickWindow, "between zero and 00:01:00");
        }

        if (IdleLimit is { } idle && !IsIdleLimit(idle))
        {
            yield return Text(nameof(IdleLimit), idle, $"{IdleLimits}, or null");
        }

        if (Outside(SettleTime, TimeSpan.FromSeconds(10)))
        {
            yield return Text(nameof(SettleTime), SettleTime, "between zero and 00:00:10");
        }

        if (PlatformGracePeriod is { } platform && (platform == TimeSpan.Zero || Outside(platform, TimeSpan.FromDays(30))))
        {
            yield return Text(nameof(PlatformGracePeriod), platform, "more than zero and at most 30.00:00:00, or null");
        }

        if (Intake is { } method && !Enum.IsDefined(method))
        {
            yield return $"{nameof(Intake)} is {method}; allowed is null or one of {string.Join(", ", Enum.GetNames<IntakeMethod>())}.";
        }

        if (Connection is not null && Activation is { Sockets: { Count: > 0 } sockets })
        {
            yield return $"{nameof(UseAcceptedConnection)} has a connection and {nameof(UseSocketActivation)} has {string.Join(", ", sockets)}; allowed is one of the two.";
        }

        if (Record is not null && string.IsNullOrWhiteSpace(Record))
        {
            yield return $"{nameof(Record)} is '{Record}'; allowed is the path of a file, or null.";
        }

        if (RecordLimit is < 4096 or > 1 << 30)
        {
            yield return string.Create(
                CultureInfo.InvariantCulture, $"{nameof(RecordLimit)} is {RecordLimit}; allowed is between 4096 and 1073741824 bytes.");
        }

        foreach (var error in ExitCodes.Errors())
        {
            yield return error;
        }

        foreach (var (signal, action) in Signals)
        {
            if (action is null)
            {
                yield return $"The action of the signal '{signal}' is null; allowed is {nameof(SignalAction)}.{nameof(SignalAction.Stop)}, {nameof(SignalAction.StopNow)} or {nameof(SignalAction.Call)}.";
            }

            if (SignalNumber.Parse(signal) is { } number && SignalNumber.WhyNot(number) is { } why)
            {
                yield return $"The signal '{signal}' can't be chosen: {why}; allowed is any other, SIGUSR1 for instance.";
            }
        }

        foreach (var twice in Signals.Keys.Where(signal => SignalNumber.Parse(signal) is not null).GroupBy(SignalNumber.Parse).Where(group => group.Count() > 1))
        {
            yield return $"{string.Join(" and ", twice.Select(signal => $"'{signal}'"))} are one signal; allowed is one action for a signal.";
        }

        if (TimeProvider is null)
        {
            yield return $"{nameof(TimeProvider)} is null; allowed is any TimeProvider.";
        }

        foreach (var error in _hooks.SelectMany(hook => hook.Errors()))
        {
            yield return error;
        }

        if (Arrange() is { IsError: true } faulty)
        {
            foreach (var fault in faulty.ErrorValue)
            {
                yield return HookRegistration.TextOf(fault);
            }
        }
    }

    internal static bool IsIdleLimit(TimeSpan limit) => limit >= TimeSpan.FromMilliseconds(1) && limit <= TimeSpan.FromDays(30);

    /// <summary>From the trigger to the exit at the latest; <see cref="Timeout.InfiniteTimeSpan"/> when nothing limits it.</summary>
    internal TimeSpan Budget() => GracePeriod == Timeout.InfiniteTimeSpan
        ? Timeout.InfiniteTimeSpan
        : GracePeriod + TimeSpan.FromTicks(LongestAfterDrain().Sum(hook => hook.Limit.Ticks));

    /// <summary>The hooks after the drain, one waiting for the other, that take the longest when each takes its whole time.</summary>
    internal IEnumerable<HookRegistration> LongestAfterDrain()
    {
        var hooks = Arranged();
        return HookGraph.longestChain([.. hooks.Select(hook => hook.ToCore())], HookStage.AfterDrain).Select(index => hooks[index]);
    }

    /// <summary>The hooks in the order in which the core knows them.</summary>
    internal IReadOnlyList<HookRegistration> Arranged()
    {
        var byName = _hooks.ToDictionary(hook => hook.Name, StringComparer.Ordinal);
        return [.. Arrange().ResultValue.Select(hook => byName[hook.Name])];
    }

    internal Policy ToPolicy(IEnumerable<HookRegistration> hooks) => new(
        LameDuck,
        QuietPeriod,
        GracePeriod == Timeout.InfiniteTimeSpan ? FSharpValueOption<TimeSpan>.None : FSharpValueOption<TimeSpan>.Some(GracePeriod),
        DoubleKickWindow,
        IdleLimit is { } idle ? FSharpValueOption<TimeSpan>.Some(idle) : FSharpValueOption<TimeSpan>.None,
        TimeSpan.Zero,
        [.. hooks.Select(hook => hook.ToCore())]);

    private FSharpResult<Hook[], FSharpList<HookFault>> Arrange() => HookGraph.arrange(ListModule.OfSeq(_hooks.Select(hook => hook.ToCore())));

    private GracefulOptions Add(
        string name, bool afterDrain, TimeSpan limit, Func<StopReason, CancellationToken, Task> hook, IEnumerable<string>? after, HookFailurePolicy onFailure)
    {
        _hooks.Add(HookRegistration.Of(name, afterDrain, limit, hook, after, onFailure));
        return this;
    }

    private static bool Outside(TimeSpan value, TimeSpan most) => value < TimeSpan.Zero || value > most;

    private static string Text(string name, TimeSpan value, string allowed) =>
        string.Create(CultureInfo.InvariantCulture, $"{name} is {value}; allowed is {allowed}.");
}
