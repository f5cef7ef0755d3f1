using Graceful.Core;
using Graceful.Engine;
using Graceful.Tests.Support;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Xunit.Sdk;

namespace Graceful.Tests.Conformance;

/// <summary>A scenario on a live server that records itself: each command is done when what the last one led to has come.</summary>
internal sealed class LiveRun : IAsyncDisposable
{
    private static readonly TimeSpan HookLimit = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan LameDuck = TimeSpan.FromSeconds(20);
    private static readonly TimeSpan GracePeriod = TimeSpan.FromMinutes(10);

    private readonly TimeSpan _quietPeriod;
    private readonly RunningTime _time = new();
    private readonly Door[] _doors = [.. Enumerable.Range(0, Scenario.Clients).Select(_ => new Door())];
    private readonly TestApp _app;
    private readonly LiveClient[] _clients;
    private readonly List<string> _story = [];
    private readonly HashSet<(Place, Act, Sight)> _seen = [];
    private Model _model;
    private int _stuckBefore;
    private int _stuckAfter;

    private LiveRun(Scenario scenario, TimeSpan quietPeriod, string record)
    {
        _quietPeriod = quietPeriod;
        _model = Model.Of(scenario);
        _app = TestApp.Make(options => Configure(options, scenario, record), map: app => app.MapGet("/client/{number:int}", async (int number) =>
        {
            await _doors[number].PassAsync();
            return "ok, at last";
        }));
        _clients = new LiveClient[Scenario.Clients];
    }

    /// <summary>Goes through a scenario and to the end of its way out.</summary>
    /// <returns>The exit code, and where what was seen of what; what the model does not allow throws.</returns>
    public static async Task<(int ExitCode, IReadOnlySet<(Place, Act, Sight)> Seen)> GoAsync(
        Scenario scenario, TimeSpan quietPeriod, string record)
    {
        await using var run = new LiveRun(scenario, quietPeriod, record);
        await run._app.Host.StartAsync().Soon("The start");
        for (var number = 0; number < Scenario.Clients; number++)
        {
            var client = number;
            run._clients[number] = new LiveClient(run._app.Port, number, () => run._doors[client] = new Door());
        }

        try
        {
            return await run.GoAsync();
        }
        catch (Exception e)
        {
            throw new XunitException($"{e.Message}\nuntil then:\n  {string.Join("\n  ", run._story)}\nexpected: {run._model}", e);
        }
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var client in _clients)
        {
            client?.Dispose();
        }

        await _app.DisposeAsync();
        await _time.DisposeAsync();
    }

    private async Task<(int ExitCode, IReadOnlySet<(Place, Act, Sight)> Seen)> GoAsync()
    {
        foreach (var command in _model.Scenario.Commands.Where(command => _model.Applies(command)))
        {
            await DoAsync(command);
        }

        while (_model.TowardsTheEnd() is { } command)
        {
            await DoAsync(command);
        }

        var report = await _app.ReportAsync();
        return report.ExitCode == _model.ExitCode
            ? (report.ExitCode, _seen)
            : throw new XunitException($"The exit code is {report.ExitCode}, and the model says {_model.ExitCode}.");
    }

    private async Task DoAsync(Command command)
    {
        _story.Add($"{_model.Place,-10} {command}");
        switch (command.Act)
        {
            case Act.Signal:
                Engine.Stop(Trigger.NewSignal(15));
                break;
            case Act.Pass:
                // The timer that was due wakes it; and once more, should the order for that still be on its way.
                _time.Jump(_model.Place switch { Place.LameDuck => LameDuck, Place.Draining => GracePeriod, _ => HookLimit });
                Engine.Post(Event.Woke);
                break;
        }

        var seen = new Dictionary<int, Sight>();
        foreach (var client in _model.Witnesses(command))
        {
            seen[client] = await SeeAsync(command, client);
            _seen.Add((_model.Place, command.Act, seen[client]));
        }

        _model = _model.After(command, seen);
        await ArriveAsync();
    }

    private async Task<Sight> SeeAsync(Command command, int client)
    {
        var seen = await _clients[client].DoAsync(command.Act);
        var wasQuiet = _clients[client].QuietAtMost >= _quietPeriod;
        _story.Add($"           client {client} sees {seen}");
        var allowed = _model.May(command, client, wasQuiet);
        return (allowed & seen) == seen && seen != Sight.Nothing
            ? seen
            : throw new XunitException($"At '{command}' client {client} ({_model.Clients[client]}) saw {seen}, and may see {allowed}.");
    }

    /// <summary>Waits until the server is where the model says that it goes by itself.</summary>
    private Task ArriveAsync() => _model.Place switch
    {
        Place.Running => Task.CompletedTask,
        Place.BeforeHook => Limits.Until(() => Volatile.Read(ref _stuckBefore) > 0, "the before-drain hook runs"),
        Place.LameDuck => _app.UntilTellingAsync("LameDuck"),
        Place.Draining => _app.UntilTellingAsync("Draining"),
        Place.AfterHook => Limits.Until(() => Volatile.Read(ref _stuckAfter) > 0, "the after-drain hook runs"),
        _ => _app.ReportAsync(),
    };

    private LifecycleEngine Engine => _app.Services.GetRequiredService<LifecycleEngine>();

    private void Configure(GracefulOptions options, Scenario scenario, string record)
    {
        options.Record = record;
        options.TimeProvider = _time.Provider;
        options.QuietPeriod = _quietPeriod;
        options.SettleTime = TimeSpan.Zero;
        options.GracePeriod = GracePeriod;
        options.DoubleKickWindow = TimeSpan.FromMinutes(1);
        options.LameDuck = scenario.HasLameDuck ? LameDuck : TimeSpan.Zero;
        if (scenario.Before != HookKind.None)
        {
            options.OnStopping("before", HookLimit, (_, token) => HookAsync(scenario.Before, ref _stuckBefore, token));
        }

        if (scenario.After != HookKind.None)
        {
            options.OnDrained("after", HookLimit, (_, token) => HookAsync(scenario.After, ref _stuckAfter, token));
        }
    }

    private static Task HookAsync(HookKind kind, ref int stuck, CancellationToken token)
    {
        switch (kind)
        {
            case HookKind.Bad:
                return Task.FromException(new InvalidOperationException("as planned"));
            case HookKind.Stuck:
                Interlocked.Increment(ref stuck);
                return Task.Delay(Timeout.Infinite, token);
            default:
                return Task.CompletedTask;
        }
    }
}
