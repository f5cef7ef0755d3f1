using System.Net.Sockets;
using Graceful.Core;
using Graceful.Engine;
using Graceful.Reporting;
using Microsoft.Extensions.Logging;

namespace Graceful.Platform;

/// <summary>
/// Tells the service manager (systemd and its like) how the server is, by the protocol of sd_notify(3). What it is to
/// know is compared with what it was told: so nothing is lost to a queue that is full for a while, and nothing piles up.
/// Only threads of the pool send, and they never wait; whoever calls leaves word and goes on.
/// </summary>
internal sealed class ServiceManager : IThreadPoolWorkItem, IDisposable
{
    /// <summary>How often the way out is looked at.</summary>
    public static readonly TimeSpan LookInterval = TimeSpan.FromSeconds(1);

    /// <summary>
    /// What is asked for at a time: many looks long, and so short that a process which hangs is not kept for long.
    /// </summary>
    public static readonly TimeSpan Extension = TimeSpan.FromSeconds(10);

    /// <summary>How late a wake-up may be before the way out no longer counts as going on.</summary>
    public static readonly TimeSpan OverdueLimit = TimeSpan.FromSeconds(5);

    private static readonly TimeSpan FirstRetry = TimeSpan.FromMilliseconds(50);
    private static readonly TimeSpan MostRetryWhenFull = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan MostRetryWhenDead = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan MostWait = TimeSpan.FromDays(1);

    private readonly Lock _sending = new();
    private readonly BackgroundLog _words = new();
    private readonly LifecycleEngine _engine;
    private readonly IReadOnlyList<HookRegistration> _hooks;
    private readonly NotifySocket _socket;
    private readonly int _processId;
    private readonly TimeSpan? _feedInterval;
    private readonly Func<TimeSpan> _limit;
    private readonly bool _lifetimeTells;
    private readonly ILogger _log;
    private readonly ITimer _timer;
    private Instant _begun;
    private Lifecycle? _leaving;
    private bool _started;

    // From here on only inside the lock.
    private bool _toldStarted;
    private bool _toldStopping;
    private string _toldStatus = "";
    private Instant? _lastAsked;
    private Instant? _lastFed;
    private TimeSpan _retry = FirstRetry;
    private bool _warned;
    private bool _disposed;

    private ServiceManager(
        LifecycleEngine engine, GracefulOptions options, NotifySocket socket, int processId, TimeSpan? watchdog, Func<TimeSpan> limit, bool lifetimeTells, ILogger log)
    {
        _engine = engine;
        _hooks = engine.Hooks;
        _socket = socket;
        _processId = processId;
        _feedInterval = watchdog / 2;
        _limit = limit;
        _lifetimeTells = lifetimeTells;
        _log = log;
        _timer = options.TimeProvider.CreateTimer(
            static manager => ((ServiceManager)manager!).Execute(), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        engine.Observer = Observe;
        Wake();
    }

    /// <summary>Begins to speak with the service manager, if there is one that wants to hear.</summary>
    /// <param name="engine">Whose life it is.</param>
    /// <param name="options">The hooks, the clock, and whether the user wants this at all.</param>
    /// <param name="environment">Where the service manager is.</param>
    /// <param name="limit">For how long more time is asked for, from the trigger on; infinite for not at all.</param>
    /// <param name="lifetimeTells">Whether somebody else says READY and STOPPING.</param>
    /// <param name="log">Gets a warning when the service manager can't be reached.</param>
    /// <returns>Null when nobody wants to hear, or nobody can.</returns>
    public static ServiceManager? Find(
        LifecycleEngine engine, GracefulOptions options, ServiceEnvironment environment, Func<TimeSpan> limit, bool lifetimeTells, ILogger log)
    {
        if (!options.NotifyServiceManager || string.IsNullOrEmpty(environment.NotifySocket))
        {
            return null;
        }

        NotifySocket socket;
        try
        {
            socket = new NotifySocket(environment.NotifySocket);
        }
        catch (Exception e) when (e is ArgumentException or SocketException or PlatformNotSupportedException)
        {
            Log.ServiceManagerNotHeard(log, e.Message);
            return null;
        }

        var watchdog = environment.Watchdog(out var complaint);
        if (complaint is not null)
        {
            Log.ServiceManagerNotHeard(log, complaint);
        }

        return new ServiceManager(engine, options, socket, environment.ProcessId, watchdog, limit, lifetimeTells, log);
    }

    /// <summary>The host has started.</summary>
    public void Started()
    {
        Volatile.Write(ref _started, true);
        Wake();
    }

    public void Execute()
    {
        try
        {
            Tell();
        }
#pragma warning disable CA1031 // Whatever goes wrong here, the server must not feel it.
        catch (Exception e)
#pragma warning restore CA1031
        {
            Warn(e.Message);
            _timer.Change(LookInterval, Timeout.InfiniteTimeSpan);
        }
    }

    /// <summary>Says what is still owed, as far as there is room; nothing after that.</summary>
    public void Dispose()
    {
        Execute();
        lock (_sending)
        {
            _disposed = true;
            _timer.Dispose();
            _socket.Dispose();
        }
    }

    /// <summary>On the mailbox: only takes note.</summary>
    private void Observe(Lifecycle state)
    {
        // What may be undone is not told: systemd has no word for it.
        if (ReportBuilder.ShutdownOf(state) is null || LifecycleModule.mayResume(state))
        {
            return;
        }

        var before = _leaving;
        if (before is null)
        {
            _begun = _engine.Clock.Now;
        }

        Volatile.Write(ref _leaving, state);
        if (before is null || LifecycleModule.stage(before).Tag != LifecycleModule.stage(state).Tag)
        {
            Wake();
        }
    }

    private void Wake() => ThreadPool.UnsafeQueueUserWorkItem(this, preferLocal: false);

    private void Tell()
    {
        lock (_sending)
        {
            if (_disposed)
            {
                return;
            }

            var now = _engine.Clock.Now;
            var leaving = Volatile.Read(ref _leaving);
            var notice = (leaving is null ? Greeting() : Farewell(leaving, ReportBuilder.ShutdownOf(leaving)!, now)) with { IsAlive = FeedIn(now) == TimeSpan.Zero };
            var wait = notice.IsEmpty || TrySend(notice, now) ? NextLook(leaving, now) : _retry;
            _timer.Change(TimeSpan.FromMilliseconds(Math.Ceiling(wait.TotalMilliseconds)), Timeout.InfiniteTimeSpan);
        }
    }

    private Notice Greeting() => Volatile.Read(ref _started) && !_toldStarted
        ? new Notice { IsReady = !_lifetimeTells, MainProcess = _processId }
        : default;

    private Notice Farewell(Lifecycle leaving, Shutdown shutdown, Instant now)
    {
        var status = StatusText.Of(
            leaving, shutdown, _engine.Reason ?? ReportBuilder.ReasonOf(shutdown.Trigger), _hooks, _engine.ExitCodeOf(LifecycleModule.exitCode(shutdown.Troubles)), now, Held.By(_engine));
        return new Notice
        {
            IsStopping = !_toldStopping && !_lifetimeTells,
            Status = status == _toldStatus ? null : status,
            MoreTime = MoreTime(leaving, now),
        };
    }

    /// <summary>More time is for a way out that goes on: not one whose budget is spent, nor one that has missed its own wake-up.</summary>
    private TimeSpan? MoreTime(Lifecycle leaving, Instant now)
    {
        var limit = _limit();
        var left = limit - (now - _begun);
        var isOverdue = LifecycleModule.nextDue(leaving) is { IsSome: true } due && now - due.Value > OverdueLimit;

        // Half a look: a stage that ends is no reason to ask again, a timer that is a little early is no reason not to.
        var isAsked = _lastAsked is { } last && now - last < LookInterval / 2;
        return limit == Timeout.InfiniteTimeSpan || left <= TimeSpan.Zero || isOverdue || isAsked ? null : left < Extension ? left : Extension;
    }

    private TimeSpan FeedIn(Instant now)
    {
        if (_feedInterval is not { } interval)
        {
            return MostWait;
        }

        var rest = _lastFed is { } last ? interval - (now - last) : TimeSpan.Zero;
        return rest > TimeSpan.Zero ? rest : TimeSpan.Zero;
    }

    private TimeSpan NextLook(Lifecycle? leaving, Instant now)
    {
        var look = leaving is null ? MostWait : LookInterval;
        var feed = FeedIn(now);
        return feed < look ? feed : look;
    }

    private bool TrySend(Notice notice, Instant now)
    {
        if (_socket.TrySend(notice.ToString()) is { } refusal)
        {
            var most = refusal.SocketErrorCode == SocketError.WouldBlock ? MostRetryWhenFull : MostRetryWhenDead;
            _retry = _retry * 2 < most ? _retry * 2 : most;
            if (_retry >= MostRetryWhenFull)
            {
                Warn(refusal.Message);
            }

            return false;
        }

        _retry = FirstRetry;
        _toldStarted |= notice.MainProcess is not null;
        _toldStopping |= notice.IsStopping;
        _toldStatus = notice.Status ?? _toldStatus;
        _lastAsked = notice.MoreTime is null ? _lastAsked : now;
        _lastFed = notice.IsAlive ? now : _lastFed;
        return true;
    }

    /// <summary>Once: whoever reads it knows.</summary>
    private void Warn(string why)
    {
        if (!_warned)
        {
            _warned = true;
            _ = _words.Write(() => Log.ServiceManagerNotHeard(_log, why));
        }
    }
}
