using System.Globalization;
using Graceful.Core;
using Graceful.Recording;

namespace Graceful.Replay;

/// <summary>Goes through a record with the very functions that ran in the server, and compares.</summary>
internal sealed class Fold(HeaderLine header)
{
    private readonly Dictionary<int, Connection> _connections = [];
    private Policy _policy = header.Policy;
    private Lifecycle _state = LifecycleModule.initial(header.Policy, header.At);
    private Gate? _gate;
    private bool _isCut;
    private int? _exitCode;

    /// <summary>How it ended, in words.</summary>
    public string Outcome => _exitCode is { } code
        ? string.Create(CultureInfo.InvariantCulture, $"exited with code {code}")
        : _isCut ? "the record ends before the exit" : $"no exit; at the end it was {LifecycleModule.stage(_state)}";

    /// <summary>What is different in the first line, or nothing.</summary>
    public string? First() => Compare("state", header.State, CoreText.Of(_state));

    /// <summary>What is different in this line, or nothing.</summary>
    public string? Take(RecordLine line) => line switch
    {
        LifecycleLine lifecycle => Take(lifecycle),
        HookLine hook => Take(hook),
        GateLine gate => Take(gate),
        ConnectionLine connection => Take(connection),
        CutLine => Cut(),
        _ => null,
    };

    private string? Take(LifecycleLine line)
    {
        if (line.Happened.IsGateEmptied && _gate is { } gate && !_isCut && !GateModule.isSealed(gate))
        {
            return $"GateEmptied was reported, and the gate says that {GateModule.inside(gate)} are inside";
        }

        var (next, effects) = LifecycleModule.step(_policy, line.At, line.Happened, _state);
        _state = next;
        if (next.IsRunning)
        {
            // What gate and connections do in normal life is not recorded.
            _gate = null;
            _connections.Clear();
        }

        foreach (var effect in effects)
        {
            _exitCode = effect is Effect.Exit exit ? exit.code : effect is Effect.Terminate terminate ? terminate.code : _exitCode;
        }

        return Compare("state", line.State, CoreText.Of(next))
            ?? Compare("orders", string.Join("; ", line.Effects), string.Join("; ", effects.Select(CoreText.Of)));
    }

    private string? Take(HookLine line)
    {
        var result = LifecycleModule.addHook(_policy, line.Hook, _state);
        _policy = result.IsOk ? result.ResultValue : _policy;
        return result.IsOk ? null : $"the hook '{line.Hook.Name}' was added, and the core refuses it: {result.ErrorValue}";
    }

    private string? Take(GateLine line)
    {
        var before = _gate ?? line.From;
        var (next, effect) = GateModule.step(line.Happened, before);
        _gate = next;
        return Compare("gate before it", Of(line.From), Of(before))
            ?? Compare("gate after it", Of(line.To), Of(next))
            ?? Compare("gate's answer", CoreText.GateEffects[line.Effect.Tag], CoreText.GateEffects[effect.Tag]);
    }

    private string? Take(ConnectionLine line)
    {
        var before = _connections.GetValueOrDefault(line.Number, line.From);
        var (next, effect) = ConnectionModule.step(line.Happened, before);
        _connections[line.Number] = next;
        return Compare($"connection {line.Number} before it", Of(line.From), Of(before))
            ?? Compare($"connection {line.Number} after it", Of(line.To), Of(next))
            ?? Compare($"connection {line.Number}'s order", CoreText.ConnectionEffects[line.Effect.Tag], CoreText.ConnectionEffects[effect.Tag]);
    }

    private string? Cut()
    {
        // From here on the gate's steps are missing, so it can't be asked any more.
        _isCut = true;
        _gate = null;
        return null;
    }

    private static string Of(Gate gate) =>
        string.Create(CultureInfo.InvariantCulture, $"word {GateLine.Word(gate)}, {GateModule.inside(gate)} inside");

    private static string Of(Connection connection) => string.Create(
        CultureInfo.InvariantCulture,
        $"word {ConnectionLine.Word(connection)}, {CoreText.Phases[ConnectionModule.phase(connection).Tag]}, {ConnectionModule.inFlight(connection)} in flight");

    private static string? Compare(string what, string recorded, string core) => recorded == core
        ? null
        : $"the {what}\n  recorded:       {recorded}\n  the core says:  {core}";
}
