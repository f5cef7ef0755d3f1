using Graceful.Core;

namespace Graceful.Tests.Interleavings;

/// <summary>Threads step one connection with anything, in any order.</summary>
internal sealed class ConnectionRace : IRace
{
    public static readonly string[] Outcomes = ["asked to close", "closed", "reset", "left", "closing with a request in flight"];

    // The life of a connection is mostly requests.
    private static readonly ConnectionEvent[] Events =
    [
        ConnectionEvent.Begin, ConnectionEvent.Begin, ConnectionEvent.Begin, ConnectionEvent.End, ConnectionEvent.End,
        ConnectionEvent.Tell, ConnectionEvent.Tell, ConnectionEvent.MarkInUse, ConnectionEvent.MarkIdle, ConnectionEvent.Hijack,
        ConnectionEvent.Retire, ConnectionEvent.Retire, ConnectionEvent.Reap, ConnectionEvent.Reap, ConnectionEvent.Shed, ConnectionEvent.Abort,
        ConnectionEvent.Disown, ConnectionEvent.Ended,
    ];

    private readonly Func<ConnectionEvent, int> _cell;
    private readonly Func<Connection> _now;
    private readonly long _round;
    private readonly Connection _first;
    private readonly Ledgers<ConnectionEvent> _before;
    private readonly Ledgers<ConnectionEvent> _ledgers;

    public ConnectionRace(Func<ConnectionEvent, int> cell, Func<Connection> now, long round, int threads)
    {
        _cell = cell;
        _now = now;
        _round = round;
        _ledgers = new(cell, threads);
        _before = new(cell, threads: 1);
        var dice = new Dice(Rounds.Seed, round, place: 9);
        for (var i = dice.Next(4); i > 0; i--)
        {
            _ = _before.Ask(0, Events[dice.Next(Events.Length)]);
        }

        _first = now();
    }

    public void Act(int thread)
    {
        var dice = new Dice(Rounds.Seed, _round, thread);
        for (var i = 1 + dice.Next(3); i > 0; i--)
        {
            var happened = Events[dice.Next(Events.Length)];
            dice.Dawdle(10);
            _ = _ledgers.Ask(thread, happened);
        }
    }

    public void Check(Rounds rounds)
    {
        var last = _now();
        var ended = _cell(ConnectionEvent.Ended);
        int Times(int effect) => _before.Times(effect) + _ledgers.Times(effect) + (ended == effect ? 1 : 0);
        var story = $"before: {_before}; then {_ledgers}; at the end: Ended -> {ended}";
        BrokenRuleException.Unless(Times(ConnectionEffect.Tags.LeaveGate) == 1, $"It leaves the gate once: {story}");
        BrokenRuleException.Unless(Times(ConnectionEffect.Tags.Close) <= 1, $"It is closed once at most: {story}");
        BrokenRuleException.Unless(Times(ConnectionEffect.Tags.Reset) <= 1, $"It is reset once at most: {story}");
        BrokenRuleException.Unless(
            _ledgers.Explain(_first, Step, word => word.Equals(last)), $"No order of whole steps gives these answers: {story}");
        rounds.Saw(0, _ledgers.Times(ConnectionEffect.Tags.AskToClose));
        rounds.Saw(1, _ledgers.Times(ConnectionEffect.Tags.Close));
        rounds.Saw(2, _ledgers.Times(ConnectionEffect.Tags.Reset));
        rounds.Saw(3, _ledgers.Times(ConnectionEffect.Tags.LeaveGate));
        // It was never reset, so the request began on what was closing already.
        var isClosing = ConnectionModule.phase(last).IsClosed && Times(ConnectionEffect.Tags.Reset) == 0;
        rounds.Saw(4, isClosing && ConnectionModule.inFlight(last) > 0 ? 1 : 0);
    }

    private static (Connection Next, int Answer) Step(ConnectionEvent happened, Connection word)
    {
        var (next, effect) = ConnectionModule.step(happened, word);
        return (next, effect.Tag);
    }
}
