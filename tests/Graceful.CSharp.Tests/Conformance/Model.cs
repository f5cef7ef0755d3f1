using System.Collections.Immutable;

namespace Graceful.Tests.Conformance;

/// <summary>
/// What Graceful promises to clients, said without a word of how it is done: a pure function from what is done to a
/// server to what each client may see of it. Where a promise depends on what happened to be faster, what was seen decides.
/// </summary>
internal sealed record Model(Scenario Scenario, Place Place, ImmutableArray<Standing> Clients, int ExitCode, bool KickIsFresh)
{
    public static Model Of(Scenario scenario) =>
        new(scenario, Place.Running, [.. Enumerable.Repeat(Standing.Absent, Scenario.Clients)], ExitCode: 0, KickIsFresh: false);

    /// <summary>Nobody else's doing is needed for the server to stay where it is.</summary>
    private bool IsHeld => Place is Place.BeforeHook or Place.LameDuck or Place.AfterHook
        || (Place == Place.Draining && Clients.Any(client => client is Standing.Waiting or Standing.Upgraded));

    /// <summary>Whether it makes sense here. A signal does only where the exit can't have been reached: after it, it would kill.</summary>
    public bool Applies(Command command) => command.Act switch
    {
        Act.Signal => Place == Place.Running || IsHeld,
        Act.Pass => IsHeld,
        Act.SeeOut => Place == Place.Draining && !IsHeld,
        _ when Place is Place.AfterHook or Place.Over => false,
        Act.Open => Clients[command.Client] is Standing.Absent or Standing.Gone,
        Act.Request => Clients[command.Client] is Standing.Fresh or Standing.Half or Standing.Idle or Standing.Upgraded,
        Act.Slow or Act.Half or Act.Upgrade => Clients[command.Client] is Standing.Fresh or Standing.Idle,
        Act.Release => Clients[command.Client] == Standing.Waiting,
        Act.Close => Clients[command.Client] is not (Standing.Absent or Standing.Gone),
        _ => throw new NotSupportedException($"The model does not know {command}."),
    };

    /// <summary>Those who see something of a command.</summary>
    public IEnumerable<int> Witnesses(Command command) => command.Act switch
    {
        Act.Signal or Act.Pass => Forces(command) ? Present : [],
        Act.SeeOut => Present,
        _ => [command.Client],
    };

    /// <summary>What a client may see of a command.</summary>
    /// <param name="command">What is done.</param>
    /// <param name="client">The client.</param>
    /// <param name="wasQuiet">Whether it may have been silent for the quiet period before.</param>
    public Sight May(Command command, int client, bool wasQuiet)
    {
        var isTold = Place is Place.LameDuck or Place.Draining;
        var answered = isTold ? Sight.AnsweredAndTold : Sight.Answered;
        var closed = Place == Place.Draining && wasQuiet ? Sight.ClosedAsQuiet : Sight.Nothing;
        return command.Act switch
        {
            Act.Open => Place == Place.Draining ? Sight.Refused : Sight.Connected,
            Act.Request when Clients[client] == Standing.Upgraded => Sight.Echoed,
            Act.Request => answered | closed,
            Act.Slow => Sight.AtWork | closed,
            Act.Release => answered,
            Act.Half => Sight.Waiting | closed,
            // Its last response was 101: what says that the server leaves is not for whoever speaks now.
            Act.Upgrade => Sight.Switched | closed,
            Act.Close => Sight.Left,
            Act.SeeOut => Sight.ClosedAsQuiet,
            // Whoever is at work is cut off by the force alone; the others may have been closed just before.
            Act.Signal or Act.Pass => Sight.Aborted | (Clients[client] is Standing.Waiting or Standing.Upgraded ? Sight.Nothing : closed),
            _ => throw new NotSupportedException($"The model does not know {command}."),
        };
    }

    /// <summary>The model after a command, of which each witness saw what it saw.</summary>
    public Model After(Command command, IReadOnlyDictionary<int, Sight> seen)
    {
        var clients = Clients;
        foreach (var (client, sight) in seen)
        {
            clients = clients.SetItem(client, StandingAfter(sight));
        }

        var next = this with { Clients = clients };
        next = command.Act switch
        {
            Act.Signal => next.AfterSignal(),
            Act.Pass => next.AfterPass(),
            _ => next,
        };
        return next.Place == Place.Draining && !next.Present.Any() ? next.Drained() : next;
    }

    /// <summary>What is to be done next so that it comes to an end without force, or nothing when it is over.</summary>
    public Command? TowardsTheEnd() => Place switch
    {
        Place.Over => null,
        Place.Running => new Command(Act.Signal),
        Place.BeforeHook or Place.LameDuck or Place.AfterHook => new Command(Act.Pass),
        _ when Clients.IndexOf(Standing.Waiting) is var waiting and >= 0 => new Command(Act.Release, waiting),
        _ when Clients.IndexOf(Standing.Upgraded) is var upgraded and >= 0 => new Command(Act.Close, upgraded),
        _ => new Command(Act.SeeOut),
    };

    private IEnumerable<int> Present =>
        Enumerable.Range(0, Scenario.Clients).Where(client => Clients[client] is not (Standing.Absent or Standing.Gone));

    private bool Forces(Command command) => command.Act switch
    {
        Act.Signal => KickIsFresh && Place is Place.BeforeHook or Place.LameDuck or Place.Draining,
        Act.Pass => Place == Place.Draining,
        _ => false,
    };

    private Model AfterSignal() => Place switch
    {
        Place.Running when Scenario.Before == HookKind.Stuck => this with { Place = Place.BeforeHook, KickIsFresh = true },
        Place.Running => (this with { KickIsFresh = true, ExitCode = Worst(Scenario.Before == HookKind.Bad ? 1 : 0) }).PastBeforeHooks(),
        // The grace period is longer than the window: a signal after it is a first one again.
        _ when !KickIsFresh => this with { KickIsFresh = true },
        Place.AfterHook => this with { Place = Place.Over, ExitCode = 3 },
        _ => (this with { ExitCode = 3 }).Drained(),
    };

    private Model AfterPass() => Place switch
    {
        Place.BeforeHook => (this with { ExitCode = Worst(1) }).PastBeforeHooks(),
        Place.LameDuck => this with { Place = Place.Draining },
        Place.AfterHook => this with { Place = Place.Over, ExitCode = Worst(1) },
        _ => (this with { ExitCode = Worst(2), KickIsFresh = false }).Drained(),
    };

    private Model PastBeforeHooks() => this with { Place = Scenario.HasLameDuck ? Place.LameDuck : Place.Draining };

    private Model Drained() => Scenario.After == HookKind.Stuck
        ? this with { Place = Place.AfterHook }
        : this with { Place = Place.Over, ExitCode = Worst(Scenario.After == HookKind.Bad ? 1 : 0) };

    private int Worst(int code) => Math.Max(code, ExitCode);

    private static Standing StandingAfter(Sight sight) => sight switch
    {
        Sight.Connected => Standing.Fresh,
        Sight.Refused => Standing.Absent,
        Sight.Answered => Standing.Idle,
        Sight.AtWork => Standing.Waiting,
        Sight.Waiting => Standing.Half,
        Sight.Switched or Sight.Echoed => Standing.Upgraded,
        _ => Standing.Gone,
    };
}
