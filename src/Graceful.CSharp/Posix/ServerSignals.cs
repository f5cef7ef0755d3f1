using System.Runtime.InteropServices;
using Graceful.Core;
using Graceful.Engine;
using Graceful.Reporting;

namespace Graceful.Posix;

/// <summary>
/// Signals that end what a server serves, for a server that may serve again: they stay owned in between, and none is lost.
/// One that comes when nothing is served, or while the server leaves for another reason, waits and ends what is served next.
/// </summary>
internal sealed class ServerSignals : IDisposable
{
    /// <summary>SIGINT, SIGQUIT and SIGTERM: sent again they mean the process, and it is urgent.</summary>
    private static readonly int[] Urgent = [2, 3, 15];

    private readonly Lock _state = new();
    private readonly Dictionary<int, PosixSignalRegistration> _registrations = [];
    private readonly HashSet<string> _unknown = [];

    /// <summary>Without an engine those that wait; with one, those that it was given, and those that still wait.</summary>
    private readonly List<int> _came = [];

    private LifecycleEngine? _engine;

    /// <summary>The one that the engine was given; 0 for none.</summary>
    private int _given;

    /// <summary>Owns a signal from now on.</summary>
    /// <exception cref="ArgumentException">Nobody may handle it.</exception>
    public void Own(string name)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(name);
        lock (_state)
        {
            if (SignalNumber.Parse(name) is not { } number)
            {
                _unknown.Add(name);
                return;
            }

            if (SignalNumber.WhyNot(number) is { } why)
            {
                throw new ArgumentException($"The signal '{name}' can't be chosen: {why}; allowed is any other, SIGUSR1 for instance.", nameof(name));
            }

            if (!_registrations.ContainsKey(number))
            {
                _registrations[number] = SignalNumber.Register(number, TryTake);
            }
        }
    }

    /// <summary>Has a host that is not built yet, or not started, leave to this server what is this server's.</summary>
    /// <exception cref="InvalidOperationException">The host wants something else of one of the signals than a stop.</exception>
    public void KeepFrom(GracefulOptions options)
    {
        lock (_state)
        {
            foreach (var (name, action) in options.Signals.ToList())
            {
                if (SignalNumber.Parse(name) is { } number && _registrations.ContainsKey(number))
                {
                    options.Signals.Remove(name);
                    if (!ReferenceEquals(action, SignalAction.Stop))
                    {
                        throw new InvalidOperationException(
                            $"The signal '{name}' closes this server, and {nameof(GracefulOptions)}.{nameof(GracefulOptions.Signals)} wants something else of it; allowed is one of them.");
                    }
                }
            }
        }
    }

    /// <inheritdoc cref="KeepFrom(GracefulOptions)"/>
    public void KeepFrom(GracefulOptions options, SignalSource others)
    {
        KeepFrom(options);
        lock (_state)
        {
            // Before this server owned it, perhaps.
            if (others.Cede(_registrations.Keys.ToHashSet()) is > 0 and var came && !_came.Contains(came))
            {
                _came.Add(came);
            }
        }
    }

    /// <summary>From now on signals end what this engine serves; one that waits does it now.</summary>
    public void Attach(LifecycleEngine engine)
    {
        lock (_state)
        {
            _engine = engine;
            foreach (var name in _unknown)
            {
                engine.Say(log => Log.SignalUnknown(log, name));
            }

            if (_came.Count > 0)
            {
                Give(_came[0]);
            }
        }
    }

    /// <summary>The engine has ended.</summary>
    /// <param name="by">The signal that ended it; 0 when it was none. The others wait.</param>
    public void Detach(int by)
    {
        lock (_state)
        {
            _engine = null;
            _given = 0;
            _came.Remove(by);
        }
    }

    public void Dispose()
    {
        lock (_state)
        {
            foreach (var registration in _registrations.Values)
            {
                registration.Dispose();
            }

            _registrations.Clear();
            _came.Clear();
        }
    }

    private bool TryTake(int number)
    {
        lock (_state)
        {
            var isAgain = _came.Contains(number);
            var isUrgent = Array.IndexOf(Urgent, number) >= 0;
            if (!isAgain)
            {
                _came.Add(number);
            }

            // Whoever rotates several logs sends one for each: together they are one wish, and it is being granted. And a
            // second signal forces, so another one that is for what is served next is none to the engine.
            if (_engine is not null && (_given == 0 || (_given == number && isUrgent)))
            {
                Give(number);
            }

            // Again when nothing is served: nothing was begun that could end in order.
            return _engine is not null || !isAgain || !isUrgent;
        }
    }

    private void Give(int number)
    {
        _given = number;
        _engine!.Stop(Trigger.NewSignal(number));
    }
}
