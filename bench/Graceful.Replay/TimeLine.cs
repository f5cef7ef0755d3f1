using System.Globalization;
using Graceful.Core;
using Graceful.Recording;
using Graceful.Reporting;

namespace Graceful.Replay;

/// <summary>
/// The record as people read it: a line for each event of the lifecycle, counted from the moment when the way out began,
/// and between them what became of connections, counted or one by one.
/// </summary>
internal sealed class TimeLine(TextWriter output, bool all)
{
    private readonly SortedDictionary<string, int> _between = new(StringComparer.Ordinal);
    private Instant? _begun;
    private Instant _started;
    private string _stage = "";
    private long? _inside;

    public void Begin(HeaderLine header)
    {
        _started = header.At;
        _stage = StageOf(header.State);
        var policy = header.Policy;
        output.WriteLine($"Graceful {header.Version}, started {header.Started.ToString("u", CultureInfo.InvariantCulture)}");
        output.WriteLine(
            $"Policy: lame duck {Text(policy.LameDuck)}, quiet period {Text(policy.QuietPeriod)}, grace period "
            + $"{(policy.GracePeriod.IsSome ? Text(policy.GracePeriod.Value) : "without end")}, double kick {Text(policy.DoubleKick)}");
        for (var index = 0; index < policy.Hooks.Length; index++)
        {
            var hook = policy.Hooks[index];
            output.WriteLine($"Hook {index}: {TextOf(hook)}");
        }

        output.WriteLine();
    }

    public void Take(RecordLine line)
    {
        switch (line)
        {
            case LifecycleLine lifecycle:
                Take(lifecycle);
                break;
            case HookLine added:
                Say(line.At, $"  hook added: {TextOf(added.Hook)}");
                break;
            case RequestLine request:
                Say(line.At, string.Create(
                    CultureInfo.InvariantCulture,
                    $"    request {request.EndText}: {request.Method} {request.Route ?? "(no route)"}, {Text(request.Age)} old, connection {request.Connection}"));
                break;
            case CutLine cut:
                TellBetween();
                Say(line.At, $"  left out from here: {(cut.Everything ? "everything" : "gate, connections and requests")}, because {cut.Because}");
                break;
            case GateLine gate:
                _inside = GateModule.inside(gate.To);
                Note(line.At, $"gate {CoreText.GateEvents[gate.Happened.Tag]}", gate.Effect.IsNoChange ? "" : $", {CoreText.GateEffects[gate.Effect.Tag]}", $", {_inside} inside");
                break;
            case ConnectionLine connection:
                Note(
                    line.At,
                    $"connection {CoreText.ConnectionEvents[connection.Happened.Tag]}",
                    connection.Effect.IsNothing ? "" : $", {CoreText.ConnectionEffects[connection.Effect.Tag]}",
                    string.Create(CultureInfo.InvariantCulture, $", number {connection.Number}{(connection.Id is { } id ? $" ({id})" : "")}, {PhaseOf(connection.From)} to {PhaseOf(connection.To)}"));
                break;
        }
    }

    public void End() => TellBetween();

    private static string TextOf(Hook hook)
    {
        var after = hook.WaitsFor.IsNone ? "" : $", after {(hook.WaitsFor.Value.IsEmpty ? "nobody" : string.Join(" and ", hook.WaitsFor.Value))}";
        return $"{hook.Name}, {(hook.Stage.IsAfterDrain ? "after" : "before")} the drain{after}, {Text(hook.TimeLimit)} at most{(hook.OnFailure.IsForce ? ", and must not fail" : "")}";
    }

    private void Take(LifecycleLine line)
    {
        TellBetween();
        if (_begun is null && !line.State.StartsWith("Running", StringComparison.Ordinal))
        {
            Say(line.At, $"  {Words(line.Happened)}, {Text(line.At - _started)} after the start");
            _begun = line.At;
        }
        else
        {
            Say(line.At, $"  {Words(line.Happened)}");
        }

        var stage = StageOf(line.State);
        if (stage != _stage)
        {
            output.WriteLine($"{"",14}-> {stage}");
            _stage = stage;
        }

        if (stage == "Running")
        {
            _begun = null;
        }

        if (line.Effects.Count > 0)
        {
            output.WriteLine($"{"",14}   {string.Join(", ", line.Effects.Select(Order))}");
        }
    }

    private void Note(Instant at, string what, string effect, string details)
    {
        if (all)
        {
            Say(at, $"    {what}{effect}{details}");
            return;
        }

        _between[what + effect] = _between.GetValueOrDefault(what + effect) + 1;
    }

    /// <summary>What happened since the last line, in numbers.</summary>
    private void TellBetween()
    {
        foreach (var (what, count) in _between)
        {
            output.WriteLine($"{"",14}    {count} x {what}");
        }

        if (_between.Count > 0 && _inside is { } inside)
        {
            output.WriteLine($"{"",14}    {inside} inside");
        }

        _between.Clear();
    }

    private void Say(Instant at, string what) => output.WriteLine(string.Create(
        CultureInfo.InvariantCulture, $"{(at - (_begun ?? at)).TotalSeconds,+10:0.0000} s {what}"));

    private static string StageOf(string state)
    {
        var words = state.Split(", ");
        return words[0] is "Draining" && words.Length > 1 ? Detail(words[1]) : words[0] is "Hooks" ? "after-drain hooks" : words[0];
    }

    private static string Detail(string stage) =>
        stage.StartsWith("hook", StringComparison.Ordinal) ? "before-drain hooks"
        : stage.StartsWith("lame duck", StringComparison.Ordinal) ? "lame duck"
        : stage.StartsWith("sweep", StringComparison.Ordinal) ? "draining"
        : stage;

    /// <summary>A due moment is on the engine's clock; people count from the trigger.</summary>
    private string Order(string effect) =>
        effect.StartsWith("WakeAt ", StringComparison.Ordinal)
        && TimeSpan.TryParseExact(effect["WakeAt ".Length..], "c", CultureInfo.InvariantCulture, out var due)
            ? string.Create(CultureInfo.InvariantCulture, $"WakeAt {(due - TimeSpan.FromTicks((_begun ?? _started).ticks)).TotalSeconds:0.0000} s")
            : effect;

    private static string Words(Event happened) => happened switch
    {
        Event.StopRequested stop => $"StopRequested, {CoreText.Of(stop.Item)}",
        Event.ForceRequested force => $"ForceRequested, {CoreText.ForceCauses[force.Item.Tag]}",
        Event.HookFinished hook => string.Create(
            CultureInfo.InvariantCulture,
            $"HookFinished {hook.index}, {(hook.Item2 is HookResult.Failed failed ? $"Failed: {failed.message}" : hook.Item2.ToString())}"),
        Event.ConnectionsSwept swept => $"ConnectionsSwept, look again in {Text(swept.lookAgain)}",
        Event.IdleSampled sample => string.Create(CultureInfo.InvariantCulture, $"IdleSampled, {sample.busy} busy, quiet for {Text(sample.quietFor)}"),
        Event.SuccessorFailed failed => $"SuccessorFailed: {failed.message}",
        _ => happened.ToString(),
    };

    private static string PhaseOf(Connection connection) => CoreText.Phases[ConnectionModule.phase(connection).Tag];

    private static string Text(TimeSpan span) => Durations.Text(span);
}
