using System.Collections.Immutable;
using System.Threading.Channels;
using Graceful.Core;
using Graceful.Recording;
using Graceful.Reporting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Graceful.Engine;

/// <summary>
/// The one mailbox that owns the lifecycle: it takes events in, steps the core, and obeys the effects in their order.
/// It decides nothing, and no code of the user's runs inside it.
/// </summary>
internal sealed class LifecycleEngine : IDisposable
{
    /// <summary>How long a log may hold up the exit.</summary>
    public static readonly TimeSpan LastWordsLimit = TimeSpan.FromSeconds(2);

    /// <summary>How long listeners may take to pause, each of which promises to be quicker.</summary>
    private static readonly TimeSpan PauseLimit = TimeSpan.FromSeconds(3);

    /// <summary>To end as many takes longer than all the rest of a way out.</summary>
    private const int Crowd = 256;

    [ThreadStatic]
    private static bool _insideMailbox;

    private readonly Channel<Letter> _mailbox = Channel.CreateUnbounded<Letter>(new() { SingleReader = true });
    private readonly TaskCompletionSource _startedUp = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _crowded = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource<ShutdownReport> _exited = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource<ShutdownReport> _reported = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly CancellationTokenSource _hostStop = new();
    private readonly CancellationTokenSource _draining = new();
    private readonly CancellationTokenSource _aborting = new();
    private readonly ILogger _log;
    private readonly BackgroundLog _words = new();
    private readonly BackgroundLog _calls = new();
    private readonly EngineClock _clock;
    private readonly Lock _deciding = new();
    private readonly ImmutableArray<int> _exitCodes;
    private readonly HookRunner _hooks;
    private readonly ReportBuilder _report;
    private readonly ITimer _timer;
    private Policy _policy;
    private Lifecycle _state;
    private Departure _departure = new();
    private TaskCompletionSource<bool>? _drill;
    private WaitHandle? _hostIsTold;
    private long _deadline = long.MaxValue;
    private bool _ready = true;
    private Instant? _drainBegan;
    private Task? _pausing;

    public LifecycleEngine(GracefulOptions options, ILogger log)
    {
        _log = log;
        Options = options;
        Hooks = new HookList(options.Arranged());
        _policy = options.ToPolicy(Hooks);
        _clock = new EngineClock(options.TimeProvider);
        _hooks = new HookRunner(Hooks, letter => _mailbox.Writer.TryWrite(letter));
        _report = new ReportBuilder(Hooks, Figures);
        _exitCodes = options.ExitCodes.ByOutcome();
        var now = _clock.Now;
        _state = LifecycleModule.initial(_policy, now);
        Recorder = options.Record is null ? null : Record(options, HeaderLine.Of(options.TimeProvider.GetUtcNow(), now, _policy, _state));
        _timer = options.TimeProvider.CreateTimer(
            static engine => ((LifecycleEngine)engine!).Post(Event.Woke), this, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        Notices = new Notices(options.TimeProvider, _clock, (ulong)Random.Shared.NextInt64(long.MinValue, long.MaxValue));
        StateHandler = options.StateHandler;
        Idle = options.IdleLimit is null ? null : new IdleWatch(_clock, options.HijackedIsBusy);
        OwnsProcess = options.OwnsProcess;
        if (LifecycleModule.nextDue(_state) is { IsSome: true } due)
        {
            // No step has ordered the first wake-up.
            WakeAt(due.Value, now);
        }

        _ = Task.Run(RunAsync);
    }

    public GracefulOptions Options { get; }

    public GateCell Gate { get; } = new();

    public Table<TrackedConnection> Table { get; } = new();

    /// <summary>Work that is not a request; it is inside the gate as connections are.</summary>
    public Table<WorkToken> Works { get; } = new();

    public IntakeList Intakes { get; } = new();

    /// <summary>Who is told at a moment of his own.</summary>
    public Notices Notices { get; }

    public DrainFigures Figures { get; } = new();

    /// <summary>Under the indices by which the core knows them.</summary>
    public HookList Hooks { get; }

    /// <summary>Why the server leaves; null as long as it does not.</summary>
    public StopReason? Reason => _report.Reason;

    public ConnectionStateHandler? StateHandler { get; }

    /// <summary>Since when nobody needed the server; null without an idle limit.</summary>
    public IdleWatch? Idle { get; }

    /// <summary>Whether the process ends with this server.</summary>
    public bool OwnsProcess { get; }

    public EngineClock Clock => _clock;

    /// <summary>Hears of every step, on the mailbox: it may take note and no more. Set before anybody asks for a stop.</summary>
    public Action<Lifecycle>? Observer { get; set; }

    /// <summary>Takes down what happens, if the user wants that.</summary>
    public Recorder? Recorder { get; }

    /// <summary>Fires when the host is to stop: there is no way back.</summary>
    public CancellationToken HostStop => _hostStop.Token;

    /// <summary>A new one after each stop that was undone.</summary>
    public CancellationToken Stopping => Departure.Stopping;

    /// <summary>The way out that is under way, or the next one.</summary>
    public Departure Departure => Volatile.Read(ref _departure);

    /// <summary>Fires when what is left is cut off.</summary>
    public CancellationToken Aborting => _aborting.Token;

    /// <summary>How long it is until what is left is cut off; null before the way out, or when nothing limits it.</summary>
    public TimeSpan? TimeLeft
    {
        get
        {
            var deadline = Volatile.Read(ref _deadline);
            if (_aborting.IsCancellationRequested)
            {
                return TimeSpan.Zero;
            }

            return deadline == long.MaxValue ? null : TimeSpan.FromTicks(Math.Max(0, deadline - _clock.Now.ticks));
        }
    }

    /// <summary>Connections that are inside, by <see cref="ConnectionPhase"/>: a walk that nobody is stopped for.</summary>
    public int[] ConnectionsByPhase()
    {
        var counts = new int[Enum.GetValues<ConnectionPhase>().Length];
        foreach (var (connection, _) in Table)
        {
            counts[(int)connection.Phase]++;
        }

        return counts;
    }

    /// <summary>Requests in flight that count, by a walk that nobody is stopped for.</summary>
    public int RequestsInFlight
    {
        get
        {
            var requests = 0;
            foreach (var (connection, _) in Table)
            {
                requests += connection.RequestsInFlight;
            }

            return requests;
        }
    }

    /// <summary>The work that goes on, the oldest first.</summary>
    public IReadOnlyList<HeldWork> WorkInProgress
    {
        get
        {
            var works = new List<HeldWork>();
            foreach (var (work, _) in Works)
            {
                works.Add(work.Held);
            }

            works.Sort(static (a, b) => b.Age.CompareTo(a.Age));
            return works;
        }
    }

    /// <summary>Whether the listeners are closed, and everybody who is left is told.</summary>
    public bool IsDraining => _draining.IsCancellationRequested;

    /// <summary>Fires when the listeners are closed, for what is no connection of ours; who comes later asks <see cref="IsDraining"/>.</summary>
    public CancellationToken Draining => _draining.Token;

    /// <summary>Whether readiness holds.</summary>
    public bool IsReady => Volatile.Read(ref _ready);

    /// <summary>Completes when the way out is over.</summary>
    public Task<ShutdownReport> Exited => _exited.Task;

    /// <summary>Completes when the report is in the log as well, or the log is stuck.</summary>
    public Task<ShutdownReport> Reported => _reported.Task;

    /// <summary>Whether the caller runs as part of a hook of this engine's.</summary>
    public bool IsInsideHook => _hooks.IsInsideHook;

    /// <summary>Completes when the listeners are bound.</summary>
    public Task Up => _startedUp.Task;

    /// <summary>Completes when so many are inside, for the first time, that to end them is most of the way out.</summary>
    public Task Crowded => _crowded.Task;

    /// <summary>Calls the user's handler of a signal, one call after the other and never on a thread that signals need.</summary>
    public void Call(Func<string, Task> handler, string signal) => _ = _calls.Write(() =>
    {
        try
        {
            handler(signal).GetAwaiter().GetResult();
        }
#pragma warning disable CA1031 // A user's handler must not harm those of other signals.
        catch (Exception e)
#pragma warning restore CA1031
        {
            Say(() => Log.SignalHandlerFailed(_log, e, signal));
        }
    });

    /// <summary>An entry in the log, when its turn comes. Any thread; returns at once.</summary>
    public void Say(Action<ILogger> entry) => Say(() => entry(_log));

    public void Post(Event happened) => _mailbox.Writer.TryWrite(new Letter(happened));

    /// <summary>Wants the stop or the drill undone; false when there is none that may be.</summary>
    public Task<bool> ResumeAsync() => AskAsync(Event.ResumeRequested);

    /// <summary>Practises a lame duck; true at its end, false when a stop came, or none could begin.</summary>
    public Task<bool> DrillAsync(TimeSpan lameDuck) => AskAsync(Event.NewDrillRequested(lameDuck));

    /// <summary>One hook more, as long as its stage has not begun.</summary>
    /// <returns>By how much it makes the way out longer.</returns>
    /// <exception cref="InvalidOperationException">It has.</exception>
    /// <exception cref="ArgumentException">The hook does not go with the others.</exception>
    public TimeSpan AddHook(HookRegistration hook)
    {
        lock (_deciding)
        {
            var result = LifecycleModule.addHook(_policy, hook.ToCore(), _state);
            if (result.IsError)
            {
                throw result.ErrorValue is HookRefusal.Faulty faulty
                    ? new ArgumentException(string.Join(" ", faulty.Item.Select(HookRegistration.TextOf)))
                    : new InvalidOperationException($"The hook '{hook.Name}' comes too late: its stage has begun or is over.");
            }

            var before = HookGraph.longest(_policy.Hooks, HookStage.AfterDrain);
            _policy = result.ResultValue;
            Hooks.Add(hook);
            Recorder?.Added(_clock.Now, _policy.Hooks[^1]);
            return HookGraph.longest(_policy.Hooks, HookStage.AfterDrain) - before;
        }
    }

    /// <summary>Asks for a stop; true for the first one who does.</summary>
    public bool Stop(Trigger trigger, string? by = null)
    {
        var departure = Departure;
        var first = departure.Ask();
        _mailbox.Writer.TryWrite(new Letter(Event.NewStopRequested(trigger)) { By = by, Joins = !first && trigger.IsRequested ? departure : null });
        return first;
    }

    /// <summary>A component that the server cannot do without failed.</summary>
    public void Fail(string component, Exception error)
    {
        Say(() => Log.ComponentFailed(_log, error, component));
        Stop(Trigger.NewComponentFailed(component, $"{error.GetType().Name}: {error.Message}"));
    }

    public bool IsAskedToStop => Departure.IsAsked;

    /// <summary>The listeners are bound: from now on there is something that can be closed.</summary>
    public void StartedUp()
    {
        // Before: whoever waits for the start looks at once.
        if (!Up.IsCompleted)
        {
            Idle?.Started();
        }

        _startedUp.TrySetResult();
    }

    /// <summary>Hooks that start when there is no way back find that the host was told.</summary>
    public void StartHooksAfter(WaitHandle hostIsTold)
    {
        _hostIsTold = hostIsTold;
        if (_hostStop.IsCancellationRequested)
        {
            _hooks.StartAfter = hostIsTold;
        }
    }

    /// <summary>A connection's last effect: it is out of the table and has left the gate.</summary>
    public void Leave(TrackedConnection connection)
    {
        Idle?.Used(connection.LastUse);
        Table.Remove(connection);
        Step(GateEvent.Leave);
    }

    /// <summary>The end of work that was let in.</summary>
    public void Leave(WorkToken work)
    {
        Idle?.Used(Idle.Now);
        Works.Remove(work);
        if (IsAskedToStop && !_aborting.IsCancellationRequested)
        {
            Figures.Finished(work.Held);
        }

        Step(GateEvent.Leave);
    }

    /// <summary>What the process says for a code of the core.</summary>
    public int ExitCodeOf(int code) => _exitCodes[code];

    /// <summary>Steps the gate; returns its answer, one of <see cref="GateEffect.Tags"/>.</summary>
    public int StepGate(GateEvent happened) => Recorder is null ? Gate.Step(happened) : Recorder.Step(Gate, happened);

    /// <summary>Call when a connection has entered.</summary>
    public void NoteCrowd()
    {
        if (!_crowded.Task.IsCompleted && GateModule.inside(Gate.Now) >= Crowd)
        {
            _crowded.TrySetResult();
        }
    }

    /// <summary>Completes when the record says all that has happened so far, or can't.</summary>
    public Task FlushRecordAsync() => Recorder?.FlushAsync(LastWordsLimit) ?? Task.CompletedTask;

    /// <summary>Tells the user's handler of an edge, never on the mailbox.</summary>
    public void Observe(ConnectionStateHandler handler, string id, ConnectionPhase from, ConnectionPhase to)
    {
        if (_insideMailbox)
        {
            ThreadPool.UnsafeQueueUserWorkItem(
                static edge => edge.Engine.Observe(edge.Handler, edge.Id, edge.From, edge.To),
                (Engine: this, Handler: handler, Id: id, From: from, To: to),
                preferLocal: false);
            return;
        }

        try
        {
            handler(id, from, to);
        }
#pragma warning disable CA1031 // A user's observer must not harm the connection that it watches.
        catch (Exception e)
#pragma warning restore CA1031
        {
            Say(() => Log.StateHandlerFailed(_log, e, id, from.ToString(), to.ToString()));
        }
    }

    /// <summary>Closes or aborts a connection, which may run callbacks of the user's, so never on the mailbox.</summary>
    public void End(TrackedConnection connection, Action<TrackedConnection> how)
    {
        if (_insideMailbox)
        {
            ThreadPool.UnsafeQueueUserWorkItem(
                static end => end.Engine.End(end.Connection, end.How),
                (Engine: this, Connection: connection, How: how),
                preferLocal: false);
            return;
        }

        try
        {
            how(connection);
        }
#pragma warning disable CA1031 // Whatever a callback throws, the connection's end is under way.
        catch (Exception e)
#pragma warning restore CA1031
        {
            Say(() => Log.EndFailed(_log, e, connection.Id));
        }
    }

    /// <summary>Ends the mailbox. What it is at it finishes; nobody waits for that, so that a hook may dispose the host.</summary>
    public void Dispose()
    {
        _mailbox.Writer.TryComplete();
        Recorder?.Dispose();
        _timer.Dispose();
        Notices.Dispose();
        _hooks.Dispose();
        _exited.TrySetCanceled();
        _reported.TrySetCanceled();
    }

    private async Task RunAsync()
    {
        while (await _mailbox.Reader.WaitToReadAsync().ConfigureAwait(false))
        {
            _insideMailbox = true;
            while (_mailbox.Reader.TryRead(out var letter))
            {
                var isVoid = letter.Run is { IsCancellationRequested: true } || (letter.Joins is { } joined && joined != _departure);
                if (!isVoid)
                {
                    Take(letter);
                }
            }

            _insideMailbox = false;
        }

        _drill?.TrySetResult(false);
    }

    private async Task<bool> AskAsync(Event wish)
    {
        var answer = new TaskCompletionSource<bool>(TaskCreationOptions.RunContinuationsAsynchronously);
        return _mailbox.Writer.TryWrite(new Letter(wish) { Answer = answer }) && await answer.Task.ConfigureAwait(false);
    }

    private (Stage Left, Lifecycle Next, IEnumerable<Effect> Effects) Decide(Instant now, Event happened)
    {
        lock (_deciding)
        {
            var left = LifecycleModule.stage(_state);
            var (next, effects) = LifecycleModule.step(_policy, now, happened, _state);
            _state = next;

            // Inside the lock, so that a hook which is added after this step is recorded after it.
            Recorder?.Take(now, happened, next, effects);
            return (left, next, effects);
        }
    }

    private void Take(Letter letter)
    {
        var now = _clock.Now;
        var happened = letter.Happened;
        var (left, next, effects) = Decide(now, happened);
        if (effects.Any(static effect => effect.IsFireStopping))
        {
            _report.AskedBy = letter.By;
        }

        Volatile.Write(ref _deadline, LifecycleModule.deadline(next) is { IsSome: true } due ? due.Value.ticks : long.MaxValue);
        try
        {
            Keep(happened, left, next);
        }
#pragma warning disable CA1031 // What is only kept or said must not keep the way out from going on.
        catch (Exception e)
#pragma warning restore CA1031
        {
            Say(() => Log.EventNotKept(_log, e, happened));
        }

        foreach (var effect in effects)
        {
            try
            {
                Obey(effect, now);
            }
#pragma warning disable CA1031 // One order that fails must not keep the others, and the exit, from being carried out.
            catch (Exception e)
#pragma warning restore CA1031
            {
                Say(() => Log.EffectFailed(_log, e, effect));
            }
        }

        Answer(letter, refused: effects.Any(static effect => effect.IsRefuseResume || effect.IsRefuseDrill));
    }

    /// <summary>When everything is carried out, whoever has a wish hears of it; of a drill, when that is over.</summary>
    private void Answer(Letter letter, bool refused)
    {
        if (letter.Happened is Event.DrillRequested drill && !refused)
        {
            _drill = letter.Answer;
            var length = Durations.Text(drill.lameDuck);
            Say(() => Log.Drilling(_log, length));
        }
        else
        {
            letter.Answer?.TrySetResult(!refused);
        }
    }

    /// <summary>The drill, if there is one, is over.</summary>
    /// <param name="whole">Whether the server is back; false when it leaves.</param>
    private void EndDrill(bool whole)
    {
        if (_drill is { } drill)
        {
            _drill = null;
            drill.TrySetResult(whole);
            Say(() => Log.Drilled(_log));
        }
    }

    /// <summary>For the report and the log, of which none may be trusted.</summary>
    private void Keep(Event happened, Stage left, Lifecycle next)
    {
        var entered = LifecycleModule.stage(next);
        Observer?.Invoke(next);
        var now = _clock.Elapsed;
        var sinceTrigger = _report.Elapsed(now);
        _report.Observe(now, happened, next);
        if (left.Tag != entered.Tag)
        {
            // Even the question whether a log wants to hear is not asked on the mailbox: it is the log's code that answers.
            var elapsed = Durations.Text(sinceTrigger);
            Say(() => Log.Edge(_log, left.ToString(), entered.ToString(), elapsed));
        }
    }

    private void Obey(Effect effect, Instant now)
    {
        switch (effect)
        {
            case Effect.WakeAt due:
                WakeAt(due.Item, now);
                break;
            case { IsSampleIdle: true }:
                // It may be a long walk, so not on the mailbox.
                var pausing = _pausing;
                _ = Task.Run(() => SampleAsync(pausing));
                break;
            case { IsPauseAccepting: true }:
                _pausing = Intakes.PauseAsync();
                break;
            case { IsResumeAccepting: true }:
                _pausing = null;
                Intakes.Resume();
                break;
            case { IsFailReadiness: true }:
                Volatile.Write(ref _ready, false);
                break;
            case { IsFireStopping: true }:
                // Whoever asked while another stop was being undone was told that this one is not the first.
                var (departure, reason) = (_departure, _report.Reason);
                departure.Ask();
                EndDrill(whole: false);

                // The callbacks are the users' code, so they run elsewhere; and the drain need not wait for the log.
                _ = Task.Run(() => AnnounceAsync(departure, reason));
                break;
            case { IsStopHost: true }:
                _hooks.StartAfter = _hostIsTold;
                _ = _hostStop.CancelAsync();
                break;
            case { IsRestoreReadiness: true }:
                Volatile.Write(ref _ready, true);
                break;
            case { IsRenewStopping: true }:
                Renew();
                break;
            case { IsWithdrawNotice: true }:
                // The last order of all that lead back.
                Step(GateEvent.Withdraw);
                EndDrill(whole: true);
                break;
            case { IsRefuseResume: true }:
            case { IsRefuseDrill: true }:
                // Whoever asked waits for the answer to the letter.
                break;
            case { IsAnnounceLeaving: true }:
                if (LifecycleModule.noticeEnd(_state) is { IsSome: true } end)
                {
                    Notices.Spread(end.Value);
                }

                Step(GateEvent.Announce);
                ApplyToAll(ConnectionEvent.Retire);
                break;
            case Effect.CloseListeners close:
                Notices.End();
                _ = CloseListenersAsync(close.successorHasThem);
                break;
            case { IsRetireConnections: true }:
                if (OwnsProcess && _drainBegan is null)
                {
                    // It stops every thread for a moment, and the mailbox waits for nobody.
                    ThreadPool.UnsafeQueueUserWorkItem(static _ => CollectionPause.Begin(), null);
                }

                Step(GateEvent.Drain);
                ApplyToAll(ConnectionEvent.Retire);
                _drainBegan ??= now;
                _ = _draining.CancelAsync();
                Interlocked.MemoryBarrier();
                ForEach(static connection => connection.SayGoodbye());
                break;
            case { IsSweepConnections: true }:
                Sweep(now);
                break;
            case { IsAbortConnections: true }:
                Step(GateEvent.Shut);
                ForEach(NoteWhatIsCutOff);
                Figures.Abort(Works);
                _ = _aborting.CancelAsync();
                ApplyToAll(ConnectionEvent.Abort);
                break;
            case Effect.StartHook hook:
                _report.HookStarted(hook.index, _clock.Elapsed);
                _hooks.Start(hook.index, _report.Reason!.Value);
                break;
            case Effect.CancelHook hook:
                _report.HookEnded(hook.index, _clock.Elapsed);
                _hooks.Cancel(hook.index);
                break;
            case Effect.Exit exit:
                Exit(exit.code);
                break;
            case Effect.Terminate terminate:
                if (OwnsProcess)
                {
                    // Handlers of the process's exit may wait for anybody, so not on the mailbox.
                    _ = Task.Run(() => TerminateAsync(terminate.code));
                }

                break;
            default:
                // Hand-over: nobody asks for it yet, and without being asked the core orders nothing.
                throw new NotSupportedException($"No adapter obeys {effect} yet.");
        }
    }

    private void WakeAt(Instant due, Instant now) => _timer.Change(EngineClock.Wait(due, now), Timeout.InfiniteTimeSpan);

    private Task AnnounceAsync(Departure departure, StopReason? reason)
    {
        var told = departure.FireAsync();
        Say(() => Log.Stopping(_log, $"{reason}"));
        return told;
    }

    /// <summary>The tokens that have fired stay with those who have them.</summary>
    private void Renew()
    {
        var undone = _departure;
        Volatile.Write(ref _departure, new Departure());
        Say(() => Log.Resumed(_log));
        undone.Undo();
    }

    private async Task TerminateAsync(int code)
    {
        await FlushRecordAsync().ConfigureAwait(false);
        Environment.Exit(ExitCodeOf(code));
    }

    private void NoteWhatIsCutOff(TrackedConnection connection)
    {
        foreach (var request in Figures.Aborting(connection))
        {
            Recorder?.CutOff(connection, request);
        }
    }

    /// <summary>Call while the request's context is still its own.</summary>
    public void NoteWhatIsLetGo(TrackedConnection connection, in HeldRequestFacts request)
    {
        if (request.IsCounted)
        {
            var held = Figures.LetGo(request);
            Recorder?.LetGo(connection, held);
        }
    }

    private void Step(GateEvent happened)
    {
        if (StepGate(happened) == GateEffect.Tags.Emptied)
        {
            Post(Event.GateEmptied);
        }
    }

    private void ApplyToAll(ConnectionEvent happened) => ForEach(connection => connection.Apply(happened));

    private void Sweep(Instant now)
    {
        var again = TimeSpan.MaxValue;
        ForEach(connection => LookAgainAfter(connection.Sweep(_policy.QuietPeriod)));
        if (_drainBegan is { } began)
        {
            var look = new DrainLook(now, _policy.QuietPeriod, now - began, AnybodyMustFinish(now - began));
            ForEach(connection => LookAgainAfter(connection.SweepRequests(look)));
        }

        void LookAgainAfter(TimeSpan wait) => again = wait < again ? wait : again;
        Post(Event.NewConnectionsSwept(again == TimeSpan.MaxValue ? _policy.QuietPeriod : again));
    }

    private bool AnybodyMustFinish(TimeSpan drainingFor)
    {
        foreach (var _ in Works)
        {
            return true;
        }

        foreach (var (connection, _) in Table)
        {
            if (connection.MustFinish(drainingFor))
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>Walks the table; a connection that fails does not keep the others from their turn.</summary>
    private void ForEach(Action<TrackedConnection> act)
    {
        foreach (var (connection, _) in Table)
        {
            try
            {
                act(connection);
            }
#pragma warning disable CA1031 // See above.
            catch (Exception e)
#pragma warning restore CA1031
            {
                Say(() => Log.EndFailed(_log, e, connection.Id));
            }
        }
    }

    private void Say(Action entry) => _ = _words.Write(entry);

    private Recorder Record(GracefulOptions options, HeaderLine header)
    {
        var path = options.Record!;
        try
        {
            return new Recorder(
                RecordFile.Create(path, options.RecordLimit), header, _clock, e => Say(() => Log.RecordFailed(_log, path, e.Message)));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException or NotSupportedException)
        {
            throw new OptionsValidationException(
                Microsoft.Extensions.Options.Options.DefaultName, typeof(GracefulOptions), [$"{nameof(GracefulOptions.Record)} is '{path}', which can't be written: {e.Message}"]);
        }
    }

    private async Task CloseListenersAsync(bool successorHasThem)
    {
        // A stop during start-up: what is being bound is bound first, and then closed in order.
        await Up.ConfigureAwait(false);
        try
        {
            _report.Intakes = await Intakes.StopAsync(successorHasThem).ConfigureAwait(false);
        }
        finally
        {
            Post(Event.ListenersClosed);
        }
    }

    /// <param name="pausing">The pause that comes first, of the second look.</param>
    private async Task SampleAsync(Task? pausing)
    {
        // A look that fails passes for one that found somebody: the next one comes when the limit may have passed again.
        var sample = Event.NewIdleSampled(1, TimeSpan.Zero);
        try
        {
            await Up.ConfigureAwait(false);
            if (pausing is not null)
            {
                await pausing.WaitAsync(PauseLimit).ConfigureAwait(false);
            }

            sample = Idle!.Look(Table, Works, pausing is null ? [] : Intakes.All());
        }
#pragma warning disable CA1031 // See above.
        catch (Exception e)
#pragma warning restore CA1031
        {
            Say(() => Log.IdleLookFailed(_log, e));
        }
        finally
        {
            Post(sample);
        }
    }

    private void Exit(int code)
    {
        var report = _report.Build(_clock.Elapsed, (ShutdownOutcome)code, ExitCodeOf(code));
        _ = ExitAsync(report);
    }

    /// <summary>The host goes on while the report is written; it waits for that at the end of its own stop.</summary>
    private async Task ExitAsync(ShutdownReport report)
    {
        // Where there is nothing to tell, the application's own code stays.
        if (report.ExitCode != 0 && OwnsProcess)
        {
            Environment.ExitCode = report.ExitCode;
        }

        var written = _words.Write(() =>
        {
            if (report.Outcome == ShutdownOutcome.Clean)
            {
                Log.Clean(_log, report);
            }
            else
            {
                Log.Unclean(_log, report);
            }
        });
        _exited.TrySetResult(report);
        await Task.WhenAny(Task.WhenAll(written, FlushRecordAsync()), Task.Delay(LastWordsLimit)).ConfigureAwait(false);
        _reported.TrySetResult(report);
    }
}
