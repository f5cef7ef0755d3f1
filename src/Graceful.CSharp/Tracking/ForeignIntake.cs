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
    /// <summary>How long a callback is waited for.</summary>
    public static readonly TimeSpan CallbackLimit = TimeSpan.FromSeconds(5);

    private readonly Lock _order = new();
    private Task _last = Task.CompletedTask;
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
        var trouble = await CallAsync("StopAccepting", stop).ConfigureAwait(false);
        var cameLast = Volatile.Read(ref _cameLast);
        stopped();
        return new IntakeOutcome(name, "accepting stopped", cameLast, trouble);
    }

    public async Task PauseAsync()
    {
        if (Pause is { } pause)
        {
            var trouble = await CallAsync("PauseAccepting", pause).ConfigureAwait(false);
            Volatile.Write(ref _goesOn, trouble is not null);
        }
    }

    public void Resume()
    {
        if (GoOn is { } goOn)
        {
            _ = CallAsync("ResumeAccepting", _ =>
            {
                goOn();
                return Task.CompletedTask;
            });
        }
    }

    /// <summary>Calls the user's code on the pool, one call after the other.</summary>
    /// <returns>What went wrong, in words; null when nothing did.</returns>
    private Task<string?> CallAsync(string what, Func<CancellationToken, Task> callback)
    {
        lock (_order)
        {
            var call = CallAsync(_last, what, callback);
            _last = call;
            return call;
        }
    }

    private async Task<string?> CallAsync(Task before, string what, Func<CancellationToken, Task> callback)
    {
        await before.ConfigureAwait(false);
        try
        {
            await Task.Run(() => callback(engine.Aborting)).WaitAsync(CallbackLimit).ConfigureAwait(false);
            return null;
        }
        catch (TimeoutException)
        {
            var limit = Durations.Text(CallbackLimit);
            engine.Say(log => Log.TrackerCallbackLate(log, name, what, limit));
            return $"{what} did not end within {limit}";
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
