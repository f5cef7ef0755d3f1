using System.Text.Json;
using Graceful.Core;

namespace Graceful.Recording;

/// <summary>An event of the lifecycle as fields of a line: its name under <c>lifecycle</c>, and what it carries beside it.</summary>
internal static class EventFields
{
    public static void Write(Event happened, Utf8JsonWriter json)
    {
        switch (happened)
        {
            case Event.StopRequested stop:
                json.WriteString("lifecycle", nameof(Event.StopRequested));
                WriteTrigger(stop.Item, json);
                break;
            case Event.ForceRequested force:
                json.WriteString("lifecycle", nameof(Event.ForceRequested));
                json.WriteString("cause", CoreText.ForceCauses[force.Item.Tag]);
                break;
            case Event.IdleSampled sample:
                json.WriteString("lifecycle", nameof(Event.IdleSampled));
                json.WriteNumber("busy", sample.busy);
                json.WriteString("quietFor", CoreText.Of(sample.quietFor));
                break;
            case Event.ConnectionsSwept swept:
                json.WriteString("lifecycle", nameof(Event.ConnectionsSwept));
                json.WriteString("lookAgain", CoreText.Of(swept.lookAgain));
                break;
            case Event.HookFinished finished:
                json.WriteString("lifecycle", nameof(Event.HookFinished));
                json.WriteNumber("hook", finished.index);
                WriteResult(finished.Item2, json);
                break;
            case Event.DrillRequested drill:
                json.WriteString("lifecycle", nameof(Event.DrillRequested));
                json.WriteString("lameDuck", CoreText.Of(drill.lameDuck));
                break;
            case Event.SuccessorFailed failed:
                json.WriteString("lifecycle", nameof(Event.SuccessorFailed));
                json.WriteString("message", failed.message);
                break;
            default:
                json.WriteString("lifecycle", happened.ToString());
                break;
        }
    }

    public static Event Read(in Fields fields) => fields.Text("lifecycle") switch
    {
        nameof(Event.StopRequested) => Event.NewStopRequested(ReadTrigger(fields)),
        nameof(Event.ForceRequested) => Event.NewForceRequested(fields.Case("cause", CoreText.ForceCauses)),
        nameof(Event.ResumeRequested) => Event.ResumeRequested,
        nameof(Event.DrillRequested) => Event.NewDrillRequested(fields.Span("lameDuck")),
        nameof(Event.IdleSampled) => Event.NewIdleSampled(fields.Int("busy"), fields.Span("quietFor")),
        nameof(Event.ListenersClosed) => Event.ListenersClosed,
        nameof(Event.ConnectionsSwept) => Event.NewConnectionsSwept(fields.Span("lookAgain")),
        nameof(Event.GateEmptied) => Event.GateEmptied,
        nameof(Event.HookFinished) => Event.NewHookFinished(fields.Int("hook"), ReadResult(fields)),
        nameof(Event.HandOverRequested) => Event.HandOverRequested,
        nameof(Event.SuccessorReady) => Event.SuccessorReady,
        nameof(Event.SuccessorFailed) => Event.NewSuccessorFailed(fields.Text("message")),
        nameof(Event.Woke) => Event.Woke,
        var unknown => throw new FormatException($"'lifecycle' is '{unknown}', which is no event of a lifecycle"),
    };

    private static void WriteTrigger(Trigger trigger, Utf8JsonWriter json)
    {
        if (trigger is Trigger.Signal signal)
        {
            json.WriteString("trigger", nameof(Trigger.Signal));
            json.WriteNumber("signal", signal.number);
            return;
        }

        if (trigger is Trigger.ComponentFailed failed)
        {
            json.WriteString("trigger", nameof(Trigger.ComponentFailed));
            json.WriteString("component", failed.name);
            json.WriteString("message", failed.message);
            return;
        }

        json.WriteString("trigger", trigger.ToString());
    }

    private static Trigger ReadTrigger(in Fields fields) => fields.Text("trigger") switch
    {
        nameof(Trigger.Signal) => Trigger.NewSignal(fields.Int("signal")),
        nameof(Trigger.Requested) => Trigger.Requested,
        nameof(Trigger.HostStopped) => Trigger.HostStopped,
        nameof(Trigger.IdledOut) => Trigger.IdledOut,
        nameof(Trigger.HandedOver) => Trigger.HandedOver,
        nameof(Trigger.ConnectionEnded) => Trigger.ConnectionEnded,
        nameof(Trigger.ComponentFailed) => Trigger.NewComponentFailed(fields.Text("component"), fields.Text("message")),
        var unknown => throw new FormatException($"'trigger' is '{unknown}', which is none"),
    };

    private static void WriteResult(HookResult result, Utf8JsonWriter json)
    {
        if (result is HookResult.Failed failed)
        {
            json.WriteString("result", nameof(HookResult.Failed));
            json.WriteString("message", failed.message);
            return;
        }

        json.WriteString("result", result.ToString());
    }

    private static HookResult ReadResult(in Fields fields) => fields.Text("result") switch
    {
        nameof(HookResult.Succeeded) => HookResult.Succeeded,
        nameof(HookResult.Failed) => HookResult.NewFailed(fields.Text("message")),
        nameof(HookResult.TimedOut) => HookResult.TimedOut,
        nameof(HookResult.Cancelled) => HookResult.Cancelled,
        nameof(HookResult.Skipped) => HookResult.Skipped,
        var unknown => throw new FormatException($"'result' is '{unknown}', which is none"),
    };
}
