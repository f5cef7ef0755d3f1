using System.Globalization;
using Graceful.Core;
using Graceful.Engine;

namespace Graceful.Reporting;

/// <summary>Keeps what the report will say, as the lifecycle goes by. Lives inside the mailbox.</summary>
internal sealed class ReportBuilder(IReadOnlyList<HookRegistration> hooks, DrainFigures figures)
{
    private readonly List<StageReport> _stages = [];
    private readonly List<(int Index, TimeSpan From, TimeSpan? To)> _runs = [];
    private Stage _stage = Stage.Running;
    private TimeSpan _entered;
    private TimeSpan _begun;
    private Shutdown? _shutdown;

    /// <summary>Why the server leaves, once it does.</summary>
    public StopReason? Reason => _shutdown is { } shutdown ? ReasonOf(shutdown.Trigger, AskedBy) : null;

    /// <summary>Who asked through the API, if they said so.</summary>
    public string? AskedBy { get; set; }

    public IReadOnlyList<IntakeOutcome> Intakes { get; set; } = [];

    /// <summary>From the trigger to <paramref name="now"/>.</summary>
    public TimeSpan Elapsed(TimeSpan now) => _shutdown is null ? TimeSpan.Zero : now - _begun;

    /// <summary>Takes note of an event and of what it led to.</summary>
    public void Observe(TimeSpan now, Event happened, Lifecycle next)
    {
        var before = _shutdown;
        _shutdown = ShutdownOf(next);
        if (before is null && _shutdown is not null)
        {
            _begun = _entered = now;
            _stage = Stage.Running;
            _stages.Clear();
            _runs.Clear();
            figures.Begin();
        }

        if (happened is Event.HookFinished finished)
        {
            HookEnded(finished.index, now);
        }

        var stage = LifecycleModule.stage(next);
        if (stage.Tag != _stage.Tag)
        {
            if (_stage.Tag is not (Stage.Tags.Running or Stage.Tags.IdleExpired or Stage.Tags.Drilling))
            {
                _stages.Add(new StageReport(NameOf(_stage), now - _entered));
            }

            _stage = stage;
            _entered = now;
        }
    }

    public void HookStarted(int index, TimeSpan now) => _runs.Add((index, now, null));

    /// <summary>It finished or was given up; whichever comes first counts.</summary>
    public void HookEnded(int index, TimeSpan now)
    {
        var run = _runs.FindIndex(r => r.Index == index);
        if (run >= 0 && _runs[run].To is null)
        {
            _runs[run] = _runs[run] with { To = now };
        }
    }

    public ShutdownReport Build(TimeSpan now, ShutdownOutcome outcome, int exitCode)
    {
        var troubles = _shutdown!.Troubles.Reverse().ToList();
        return new ShutdownReport
        {
            Reason = Reason!.Value,
            Outcome = outcome,
            ExitCode = exitCode,
            Duration = Elapsed(now),
            Stages = [.. _stages],
            Hooks = [.. HookReports(troubles)],
            Troubles = [.. troubles.Select(TextOf).OfType<string>()],
            Listeners = [.. Intakes.Select(TextOf)],
            RequestsFinished = figures.RequestsFinished,
            RequestsLetGo = figures.RequestsLetGo,
            ConnectionsClosed = figures.ConnectionsClosed,
            ConnectionsTold = figures.ConnectionsTold,
            ConnectionsAborted = figures.ConnectionsAborted,
            WebSocketsClosed = figures.WebSocketsClosed,
            WebSocketsAnswered = figures.WebSocketsAnswered,
            WorkFinished = figures.WorkFinished,
            WaitedFor = figures.SlowRequests(),
            WorkWaitedFor = figures.SlowWork(),
            LetGo = figures.RequestsThatWereLetGo(),
            CutOff = figures.AbortedRequests(),
            WorkCutOff = figures.AbortedWork(),
        };
    }

    /// <summary>What every state on the way out carries along; null before it.</summary>
    public static Shutdown? ShutdownOf(Lifecycle state) => state switch
    {
        Lifecycle.Draining draining => draining.Item1,
        Lifecycle.Hooks hooks => hooks.Item1,
        Lifecycle.Exited exited => exited.Item,
        _ => null,
    };

    /// <summary>The core's trigger as the user's type.</summary>
    public static StopReason ReasonOf(Trigger trigger, string? askedBy = null) => trigger switch
    {
        Trigger.Signal signal => new StopReason(StopCause.Signal, signal.number),
        { IsRequested: true } => new StopReason(StopCause.Requested, Who: askedBy),
        { IsHostStopped: true } => new StopReason(StopCause.HostStopped),
        Trigger.ComponentFailed failed => new StopReason(StopCause.ComponentFailed, Who: failed.name),
        { IsIdledOut: true } => new StopReason(StopCause.Idle),
        { IsConnectionEnded: true } => new StopReason(StopCause.ConnectionEnded),
        _ => new StopReason(StopCause.HandedOver),
    };

    private IEnumerable<HookReport> HookReports(IReadOnlyList<Trouble> troubles)
    {
        var outcomes = troubles.OfType<Trouble.HookTrouble>().ToDictionary(t => t.name, t => TextOf(t.Item2));
        var durations = _runs.ToDictionary(run => run.Index, run => run.To - run.From ?? TimeSpan.Zero);
        foreach (var index in Enumerable.Range(0, hooks.Count).OrderBy(index => hooks[index].AfterDrain))
        {
            var outcome = outcomes.GetValueOrDefault(hooks[index].Name, "succeeded");
            yield return new HookReport(hooks[index].Name, outcome, durations.GetValueOrDefault(index));
        }
    }

    private static string NameOf(Stage stage) => stage.Tag switch
    {
        Stage.Tags.BeforeDrainHooks => "before-drain hooks",
        Stage.Tags.LameDuck => "lame duck",
        Stage.Tags.ClosingListeners => "closing listeners",
        Stage.Tags.Draining => "draining",
        Stage.Tags.AfterDrainHooks => "after-drain hooks",
        _ => stage.ToString(),
    };

    /// <summary>Null for a hook's, which has a line of its own.</summary>
    private static string? TextOf(Trouble trouble) => trouble switch
    {
        Trouble.Forced forced => TextOf(forced.Item),
        Trouble.ComponentTrouble component => $"{component.name} failed: {component.message}",
        _ => null,
    };

    private static string TextOf(ForceCause cause) => cause.Tag switch
    {
        ForceCause.Tags.SecondSignal => "forced by a second signal",
        ForceCause.Tags.StopNow => "forced: a stop at once was asked for",
        ForceCause.Tags.HostTimedOut => "forced: the host's time was over",
        ForceCause.Tags.HookFailed => "forced: a hook failed that must not",
        _ => "forced: the grace period was over",
    };

    private static string TextOf(HookResult result) => result switch
    {
        HookResult.Failed failed => $"failed ({failed.message})",
        { IsTimedOut: true } => "timed out",
        { IsCancelled: true } => "cancelled",
        { IsSkipped: true } => "skipped",
        _ => "succeeded",
    };

    private static string TextOf(IntakeOutcome outcome)
    {
        var text = string.Create(CultureInfo.InvariantCulture, $"{outcome.Address}: {outcome.Method}, {outcome.LastCall} accepted in the last call");
        return outcome.Remark is null ? text : $"{text} ({outcome.Remark})";
    }
}
