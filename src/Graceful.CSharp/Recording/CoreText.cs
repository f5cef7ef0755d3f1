using System.Globalization;
using Graceful.Core;
using Microsoft.FSharp.Core;

namespace Graceful.Recording;

/// <summary>
/// What the core speaks of, in words that stay the same: a record is compared by them. Everything that a state or an
/// order holds is in its text, so equal texts are equal states.
/// </summary>
internal static class CoreText
{
    public static readonly Vocabulary<ConnectionEvent> ConnectionEvents = new(
        ConnectionEvent.Begin, ConnectionEvent.End, ConnectionEvent.Tell, ConnectionEvent.MarkInUse, ConnectionEvent.MarkIdle,
        ConnectionEvent.Hijack, ConnectionEvent.Retire, ConnectionEvent.Reap, ConnectionEvent.Shed, ConnectionEvent.Abort,
        ConnectionEvent.Disown, ConnectionEvent.Ended);

    public static readonly Vocabulary<ConnectionEffect> ConnectionEffects = new(
        ConnectionEffect.Nothing, ConnectionEffect.BecameActive, ConnectionEffect.BecameIdle, ConnectionEffect.BecameHijacked,
        ConnectionEffect.AskToClose, ConnectionEffect.Close, ConnectionEffect.Reset, ConnectionEffect.LeaveGate);

    public static readonly Vocabulary<Phase> Phases = new(Phase.New, Phase.Active, Phase.Idle, Phase.Hijacked, Phase.Closed);

    public static readonly Vocabulary<GateEvent> GateEvents = new(
        GateEvent.Enter, GateEvent.Leave, GateEvent.Announce, GateEvent.Withdraw, GateEvent.Drain, GateEvent.Shut);

    public static readonly Vocabulary<GateEffect> GateEffects = new(
        GateEffect.NoChange, GateEffect.Admit, GateEffect.AdmitRetiring, GateEffect.Refuse, GateEffect.Emptied);

    public static readonly Vocabulary<ForceCause> ForceCauses = new(
        ForceCause.GracePeriodOver, ForceCause.SecondSignal, ForceCause.HostTimedOut, ForceCause.StopNow, ForceCause.HookFailed);

    public static readonly Vocabulary<HookStage> HookStages = new(HookStage.BeforeDrain, HookStage.AfterDrain);

    public static readonly Vocabulary<FailurePolicy> FailurePolicies = new(FailurePolicy.Continue, FailurePolicy.Force);

    public static string Of(TimeSpan span) => span.ToString("c", CultureInfo.InvariantCulture);

    public static string Of(Instant instant) => Of(TimeSpan.FromTicks(instant.ticks));

    public static string Of(Lifecycle state) => state switch
    {
        Lifecycle.Running running =>
            $"Running, successor {(running.Item1.IsAbsent ? "absent" : $"due {Of(running.Item1.due)}")}, idle check {Of(running.idleCheck)}",
        Lifecycle.Drilling drilling => $"Drilling, until {Of(drilling.until)}, idle check {Of(drilling.idleCheck)}",
        Lifecycle.Draining draining => $"Draining, {Of(draining.Item2)}, {Of(draining.Item1)}",
        Lifecycle.Hooks hooks => $"Hooks, {Of(hooks.Item2)}, {Of(hooks.Item1)}",
        Lifecycle.Exited exited => $"Exited, {Of(exited.Item)}",
        _ => "IdleExpired",
    };

    public static string Of(Effect effect) => effect switch
    {
        Effect.WakeAt due => $"WakeAt {Of(due.Item)}",
        Effect.CloseListeners close => close.successorHasThem ? "CloseListeners, a successor has them" : "CloseListeners",
        Effect.StartHook hook => string.Create(CultureInfo.InvariantCulture, $"StartHook {hook.index}"),
        Effect.CancelHook hook => string.Create(CultureInfo.InvariantCulture, $"CancelHook {hook.index}"),
        Effect.Exit exit => string.Create(CultureInfo.InvariantCulture, $"Exit {exit.code}"),
        Effect.Terminate terminate => string.Create(CultureInfo.InvariantCulture, $"Terminate {terminate.code}"),
        _ => effect.ToString(),
    };

    public static string Of(Trigger trigger) =>
        trigger switch
        {
            Trigger.Signal signal => string.Create(CultureInfo.InvariantCulture, $"Signal {signal.number}"),
            Trigger.ComponentFailed failed => $"failure of '{failed.name}' ({failed.message})",
            _ => trigger.ToString(),
        };

    private static string Of(DrainStage stage) => stage switch
    {
        { IsRunningBeforeHooks: true } => Of(stage.hooks),
        { IsLameDuck: true } => $"lame duck until {Of(stage.until)}",
        { IsClosingListeners: true } => $"closing listeners, sweep {Of(stage.sweep)}",
        _ => $"sweep {Of(stage.sweep)}",
    };

    private static string Of(HookProgress hooks) =>
        $"hooks [{string.Join("; ", hooks.Running.Select(Of))}], waiting [{string.Join("; ", hooks.Waiting)}]";

    private static string Of(HookRun run) => string.Create(CultureInfo.InvariantCulture, $"{run.Index} until {Of(run.Due)}");

    private static string Of(Return way) => way.IsNoReturn ? "no return" : $"may resume, idle check {Of(way.idleCheck)}";

    private static string Of(Shutdown shutdown) =>
        $"after {Of(shutdown.Trigger)}, {Of(shutdown.Return)}, last kick {Of(shutdown.LastKick)}, deadline {Of(shutdown.Deadline)}, "
        + $"troubles [{string.Join("; ", shutdown.Troubles.Reverse().Select(Of))}]";

    private static string Of(Trouble trouble) => trouble switch
    {
        Trouble.HookTrouble hook => $"hook '{hook.name}' {(hook.Item2 is HookResult.Failed failed ? $"Failed ({failed.message})" : hook.Item2.ToString())}",
        Trouble.Forced forced => $"forced {ForceCauses[forced.Item.Tag]}",
        Trouble.ComponentTrouble component => $"component '{component.name}' failed ({component.message})",
        _ => throw new NotSupportedException($"Nobody has words for {trouble} yet."),
    };

    private static string Of(FSharpValueOption<Instant> instant) => instant.IsSome ? Of(instant.Value) : "none";
}
