using System.Net.Sockets;
using Graceful.Engine;
using Graceful.Reporting;

namespace Graceful.Tracking;

/// <summary>The intake of a server that is not ours: its owner's callbacks, none of which can hold up the way out or break it.</summary>
/// <param name="engine">Whose intake it is.</param>
/// <param name="name">What reports and the log call it.</param>
/// <param name="stop">Stops accepting.</param>
/// <param name="stopped">Hears when that is over.</param>
internal sealed class ForeignIntake(LifecycleEngine engine, string name, Func<CancellationToken, Task> stop, Action stopped) : IIntake
{
    /// <summary>How long a pause is waited for; less than the engine waits for all of them, so that it hears of one that is late.</summary>
    public static readonly TimeSpan PauseLimit = TimeSpan.FromSeconds(2);

    /// <summary>How long any other callback is waited for.</summary>
    public static readonly TimeSpan CallbackLimit = TimeSpan.FromSeconds(5);

    private readonly Lock _order = new();
    private Task _last = Task.CompletedTask;
    private bool _isPaused;
    private bool _stops;
    private bool _goesOn;
    private int _cameLast;

    public Func<CancellationToken, Task>? Pause { get; init; }

    public Action? GoOn { get; init; }

    public Socket? ListeningSocket { get; init; }

    /// <summary>Also true where it was to pause and did not: then nobody can say that nobody comes.</summary>
    public bool IsAnybodyWaiting
    {
        get
        {
            try
            {
                return Volatile.Read(ref _goesOn) || (ListeningSocket is { } socket && socket.Poll(TimeSpan.Zero, SelectMode.SelectRead));
            }
            catch (Exception e) when (e is SocketException or ObjectDisposedException or InvalidOperationException)
            {
                // Nobody waits in a socket that does not listen.
                return false;
            }
        }
    }

    /// <summary>Somebody was let in.</summary>
    public void CameIn()
    {
        if (Volatile.Read(ref _stops))
        {
            Interlocked.Increment(ref _cameLast);
        }
    }

    public async Task<IntakeOutcome> StopAsync(bool successorHasIt)
    {
        Volatile.Write(ref _stops, true);
        Task last;
        lock (_order)
        {
            last = _last;
            _isPaused = false;
        }

        // A pause that is still under way is not for ever in the way of the end.
        await last.WaitAsync(PauseLimit).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        var trouble = await WaitAsync("StopAccepting", CallbackLimit, Task.Run(() => stop(engine.Aborting))).ConfigureAwait(false);
        var cameLast = Volatile.Read(ref _cameLast);
        stopped();
        return new IntakeOutcome(name, "accepting stopped", cameLast, trouble);
    }

    public async Task PauseAsync()
    {
        if (Pause is { } pause)
        {
            Task call;
            lock (_order)
            {
                _isPaused = true;
                call = Enqueue(() => pause(engine.Aborting));
            }

            var trouble = await WaitAsync("PauseAccepting", PauseLimit, call).ConfigureAwait(false);
            Volatile.Write(ref _goesOn, trouble is not null);
        }
    }

    public void Resume()
    {
        if (GoOn is not { } goOn)
        {
            return;
        }

        lock (_order)
        {
            // Nobody hears of the end of a pause who was not told to pause: a tracker may have come after the others paused.
            if (_isPaused)
            {
                _isPaused = false;
                _ = WaitAsync("ResumeAccepting", CallbackLimit, Enqueue(() =>
                {
                    goOn();
                    return Task.CompletedTask;
                }));
            }
        }
    }

    /// <summary>
    /// Calls the user's code on the pool, after the end of the call before it, however late that is: a pause that ended after its resume would be one for
    /// ever. Call it while holding <see cref="_order"/>.
    /// </summary>
    private Task Enqueue(Func<Task> callback)
    {
        _last = CallAsync(_last, callback);
        return _last;
    }

    private static async Task CallAsync(Task before, Func<Task> callback)
    {
        await before.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await Task.Run(callback).ConfigureAwait(false);
    }

    /// <summary>Waits for a call, which goes on when it is late.</summary>
    /// <returns>What went wrong, in words; null when nothing did.</returns>
    private async Task<string?> WaitAsync(string what, TimeSpan limit, Task call)
    {
        try
        {
            await call.WaitAsync(limit).ConfigureAwait(false);
            return null;
        }
        catch (TimeoutException) when (!call.IsCompleted)
        {
            var text = Durations.Text(limit);
            engine.Say(log => Log.TrackerCallbackLate(log, name, what, text));
            return $"{what} did not end within {text}";
        }
#pragma warning disable CA1031 // Whatever the user's code throws, the way out goes on.
        catch (Exception e)
#pragma warning restore CA1031
        {
            engine.Say(log => Log.TrackerCallbackFailed(log, e, name, what));
            return $"{what} failed: {e.Message}";
        }
    }
}
