using Graceful.Core;

namespace Graceful.Tests.Interleavings;

/// <summary>One thread announces, drains and shuts a gate; the others leave it, or come to see it and leave.</summary>
internal sealed class GateRace : IRace
{
    public static readonly string[] Outcomes =
        ["let in", "let in to be retired", "refused", "emptied by who drained", "emptied by who left", "empty and not drained"];

    private readonly Func<GateEvent, int> _gate;
    private readonly long _round;
    private readonly int _inside;
    private readonly Gate _first = GateModule.initial;
    private readonly Ledgers<GateEvent> _ledgers;

    public GateRace(Func<GateEvent, int> gate, long round, int threads)
    {
        _gate = gate;
        _round = round;
        _ledgers = new(gate, threads);
        _inside = new Dice(Rounds.Seed, round, place: 9).Next(threads);
        for (var i = 0; i < _inside; i++)
        {
            _ = gate(GateEvent.Enter);
            (_first, _) = GateModule.step(GateEvent.Enter, _first);
        }
    }

    public void Act(int thread)
    {
        var dice = new Dice(Rounds.Seed, _round, thread);
        dice.Dawdle(20);
        if (thread == 0)
        {
            Drain(ref dice);
        }
        else if (thread <= _inside)
        {
            _ = _ledgers.Ask(thread, GateEvent.Leave);
        }
        else if (_ledgers.Ask(thread, GateEvent.Enter) != GateEffect.Tags.Refuse)
        {
            dice.Dawdle(20);
            _ = _ledgers.Ask(thread, GateEvent.Leave);
        }
    }

    public void Check(Rounds rounds)
    {
        // Whatever was said, in the end the gate drains; then it must be sealed, and have said once that it is empty.
        var drained = _gate(GateEvent.Drain);
        var entered = _gate(GateEvent.Enter);
        var times = _ledgers.Times(GateEffect.Tags.Emptied) + (drained == GateEffect.Tags.Emptied ? 1 : 0);
        var story = $"{_inside} inside; {_ledgers}; at the end: Drain -> {drained}, Enter -> {entered}";
        BrokenRuleException.Unless(times == 1, $"Emptied comes once, and not {times} times: {story}");
        BrokenRuleException.Unless(entered == GateEffect.Tags.Refuse, $"Nobody gets into a sealed gate: {story}");
        BrokenRuleException.Unless(
            _ledgers.Explain(_first, Step, gate => GateModule.inside(gate) == 0 && Step(GateEvent.Drain, gate).Answer == drained),
            $"No order of whole steps gives these answers: {story}");
        rounds.Saw(0, _ledgers.Times(GateEffect.Tags.Admit));
        rounds.Saw(1, _ledgers.Times(GateEffect.Tags.AdmitRetiring));
        rounds.Saw(2, _ledgers.Times(GateEffect.Tags.Refuse));
        rounds.Saw(drained == GateEffect.Tags.Emptied ? 5 : _ledgers.Got(0, GateEffect.Tags.Emptied) ? 3 : 4);
    }

    private void Drain(ref Dice dice)
    {
        if (dice.Coin())
        {
            _ = _ledgers.Ask(0, GateEvent.Announce);
            dice.Dawdle(20);
        }

        if (dice.Next(4) > 0)
        {
            _ = _ledgers.Ask(0, GateEvent.Drain);
            dice.Dawdle(20);
        }

        if (dice.Coin())
        {
            _ = _ledgers.Ask(0, GateEvent.Shut);
        }
    }

    private static (Gate Next, int Answer) Step(GateEvent happened, Gate gate)
    {
        var (next, effect) = GateModule.step(happened, gate);
        return (next, effect.Tag);
    }
}
