using System.Reflection;
using System.Text;
using System.Text.Json;
using Graceful.Core;
using Graceful.Recording;
using Microsoft.FSharp.Collections;
using Microsoft.FSharp.Core;

namespace Graceful.Tests.Records;

/// <summary>The words of a record: nothing of the core is without one, and none stands for two things.</summary>
public sealed class Words
{
    private static readonly Instant Early = Instant.NewInstant(5);
    private static readonly Instant Late = Instant.NewInstant(50_000_000);

    [Fact]
    public void Every_case_of_the_core_has_its_word()
    {
        Covers(CoreText.ConnectionEvents, typeof(ConnectionEvent));
        Covers(CoreText.ConnectionEffects, typeof(ConnectionEffect));
        Covers(CoreText.Phases, typeof(Phase));
        Covers(CoreText.GateEvents, typeof(GateEvent));
        Covers(CoreText.GateEffects, typeof(GateEffect));
        Covers(CoreText.ForceCauses, typeof(ForceCause));
        Covers(CoreText.FailurePolicies, typeof(FailurePolicy));
    }

    [Fact]
    public void Every_event_is_read_as_it_was_written()
    {
        List<Event> events =
        [
            Event.ListenersClosed, Event.GateEmptied, Event.HandOverRequested, Event.SuccessorReady, Event.Woke, Event.ResumeRequested, Event.NewDrillRequested(TimeSpan.FromTicks(7)),
            Event.NewIdleSampled(3, TimeSpan.FromTicks(123)), Event.NewConnectionsSwept(TimeSpan.MaxValue),
            Event.NewSuccessorFailed("no \"luck\"\n"),
        ];
        events.AddRange(new[] { Trigger.Requested, Trigger.HostStopped, Trigger.IdledOut, Trigger.HandedOver, Trigger.ConnectionEnded, Trigger.NewSignal(3), Trigger.NewComponentFailed("queue", "lost \"it\"") }
            .Select(Event.NewStopRequested));
        events.AddRange(new[] { ForceCause.GracePeriodOver, ForceCause.SecondSignal, ForceCause.HostTimedOut, ForceCause.StopNow, ForceCause.HookFailed }.Select(Event.NewForceRequested));
        events.AddRange(new[] { HookResult.Succeeded, HookResult.TimedOut, HookResult.Cancelled, HookResult.Skipped, HookResult.NewFailed("Ü\u2028") }
            .Select(result => Event.NewHookFinished(7, result)));
        Assert.Equal(Cases(typeof(Event)).Length, events.Select(one => one.Tag).Distinct().Count());
        foreach (var happened in events)
        {
            var line = new LifecycleLine(Late, happened, "a state", ["one", "two"]);
            var read = Assert.IsType<LifecycleLine>(RecordLine.Parse(Written(line)));
            Assert.Equal((line.At, line.Happened, line.State), (read.At, read.Happened, read.State));
            Assert.Equal(line.Effects, read.Effects);
        }
    }

    [Fact]
    public void States_that_differ_have_texts_that_differ()
    {
        List<Lifecycle> states =
        [
            Lifecycle.IdleExpired,
            Lifecycle.NewRunning(Successor.Absent, None),
            Lifecycle.NewRunning(Successor.Absent, Some(Early)),
            Lifecycle.NewRunning(Successor.NewStarting(Early), None),
            Lifecycle.NewRunning(Successor.NewStarting(Late), Some(Early)),
            Lifecycle.NewDrilling(Early, None),
            Lifecycle.NewDrilling(Late, None),
            Lifecycle.NewDrilling(Early, Some(Early)),
        ];
        foreach (var shutdown in Shutdowns())
        {
            states.Add(Lifecycle.NewExited(shutdown));
            states.AddRange(Runs().Select(run => Lifecycle.NewHooks(shutdown, run)));
            states.AddRange(Runs().Select(DrainStage.NewRunningBeforeHooks)
                .Concat([
                    DrainStage.NewLameDuck(Early), DrainStage.NewLameDuck(Late), DrainStage.NewClosingListeners(None),
                    DrainStage.NewClosingListeners(Some(Early)),
                    DrainStage.NewAwaitingEmptied(None), DrainStage.NewAwaitingEmptied(Some(Early)),
                ])
                .Select(stage => Lifecycle.NewDraining(shutdown, stage)));
        }

        Assert.Equal(states.Count, states.Distinct().Count());
        Assert.Equal(states.Count, states.Select(CoreText.Of).Distinct().Count());
    }

    [Fact]
    public void Orders_that_differ_have_texts_that_differ()
    {
        Effect[] effects =
        [
            Effect.NewWakeAt(Early), Effect.NewWakeAt(Late), Effect.SampleIdle, Effect.FailReadiness, Effect.FireStopping,
            Effect.RestoreReadiness, Effect.RenewStopping, Effect.StopHost, Effect.WithdrawNotice, Effect.RefuseResume, Effect.RefuseDrill,
            Effect.PauseAccepting, Effect.ResumeAccepting, Effect.AnnounceLeaving, Effect.NewCloseListeners(false),
            Effect.NewCloseListeners(true), Effect.RetireConnections, Effect.SweepConnections, Effect.AbortConnections,
            Effect.NewStartHook(0), Effect.NewStartHook(1), Effect.NewCancelHook(0), Effect.NewCancelHook(1), Effect.StartSuccessor,
            Effect.AbandonSuccessor, Effect.RefuseHandOver, Effect.NewExit(0), Effect.NewExit(3), Effect.NewTerminate(0), Effect.NewTerminate(3),
        ];
        Assert.Equal(Cases(typeof(Effect)).Length, effects.Select(one => one.Tag).Distinct().Count());
        Assert.Equal(effects.Length, effects.Select(CoreText.Of).Distinct().Count());
    }

    private static FSharpValueOption<Instant> None => FSharpValueOption<Instant>.None;

    private static FSharpValueOption<Instant> Some(Instant instant) => FSharpValueOption<Instant>.Some(instant);

    private static HookProgress[] Runs()
    {
        HookRun[][] runs = [[new(0, Early)], [new(0, Late)], [new(1, Early)], [new(0, Early), new(1, Late)]];
        int[][] waiting = [[], [2], [2, 3]];
        return [.. from running in runs from left in waiting select new HookProgress(ListModule.OfSeq(running), ListModule.OfSeq(left))];
    }

    private static Shutdown After(Trigger trigger, FSharpValueOption<Instant> kick, FSharpValueOption<Instant> deadline, params Trouble[] troubles) =>
        new(trigger, Return.NoReturn, kick, deadline, ListModule.OfSeq(troubles));

    private static IEnumerable<Shutdown> Shutdowns()
    {
        yield return After(Trigger.Requested, None, None);
        yield return After(Trigger.HostStopped, None, None);
        yield return After(Trigger.NewSignal(2), None, None);
        yield return After(Trigger.NewSignal(15), None, None);
        yield return After(Trigger.Requested, Some(Early), None);
        yield return After(Trigger.Requested, None, Some(Early));
        foreach (var way in new[] { Return.NewMayResume(None), Return.NewMayResume(Some(Early)) })
        {
            yield return new Shutdown(Trigger.Requested, way, None, None, FSharpList<Trouble>.Empty);
        }

        var a = Trouble.NewHookTrouble("a", HookResult.TimedOut);
        var b = Trouble.NewHookTrouble("b", HookResult.TimedOut);
        var forced = Trouble.NewForced(ForceCause.SecondSignal);
        Trouble[][] troubles =
        [
            [a], [b], [a, b], [b, a], [forced], [a, forced], [Trouble.NewForced(ForceCause.HostTimedOut)],
            [Trouble.NewComponentTrouble("a", "x")], [Trouble.NewComponentTrouble("a", "y")], [Trouble.NewComponentTrouble("b", "x")],
            [Trouble.NewHookTrouble("a", HookResult.NewFailed("x"))], [Trouble.NewHookTrouble("a", HookResult.NewFailed("y"))],
        ];
        foreach (var some in troubles)
        {
            yield return After(Trigger.Requested, None, None, some);
        }
    }

    private static void Covers<T>(Vocabulary<T> vocabulary, Type union)
        where T : notnull => Assert.Equal(Cases(union), vocabulary.Words);

    /// <summary>The names of a union's cases in the order of their tags.</summary>
    private static string[] Cases(Type union) =>
    [
        .. union.GetNestedType("Tags")!.GetFields(BindingFlags.Public | BindingFlags.Static)
            .OrderBy(field => (int)field.GetRawConstantValue()!).Select(field => field.Name),
    ];

    private static string Written(RecordLine line)
    {
        using var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer))
        {
            line.WriteTo(json);
        }

        return Encoding.UTF8.GetString(buffer.ToArray());
    }
}
