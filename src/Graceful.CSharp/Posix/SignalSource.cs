using System.Runtime.InteropServices;
using Graceful.Core;
using Graceful.Engine;
using Graceful.Reporting;

namespace Graceful.Posix;

/// <summary>
/// Owns signals from the moment it is made, which is before there is a host, and from the host's start on those that the
/// user chose. Without an owner a signal does what it does by itself, and most kill the process at once.
/// </summary>
internal sealed class SignalSource : IDisposable
{
    private readonly Lock _state = new();
    private readonly Dictionary<int, PosixSignalRegistration> _registrations = [];
    private Dictionary<int, SignalAction>? _actions;
    private LifecycleEngine? _engine;
    private int _pending;
    private bool _signalled;
    private bool _ownsProcess = true;

    public SignalSource(params ReadOnlySpan<int> owned)
    {
        foreach (var number in owned)
        {
            Own(number);
        }
    }

    /// <summary>From now on signals go to this engine and do what the user chose; one that came before does it now.</summary>
    public void Attach(LifecycleEngine engine, IEnumerable<KeyValuePair<string, SignalAction>> chosen)
    {
        lock (_state)
        {
            _engine = engine;
            _ownsProcess = engine.OwnsProcess;
            _actions = [];
            foreach (var (name, action) in chosen)
            {
                if (SignalNumber.Parse(name) is { } number)
                {
                    _actions[number] = action;
                }
                else
                {
                    engine.Say(log => Log.SignalUnknown(log, name));
                }
            }

            if (_pending != 0 && !Do(_pending))
            {
                // It was taken before anybody could know that the user did not want it to be.
                engine.Stop(Trigger.NewSignal(_pending));
            }
        }
    }

    /// <summary>Owns what the user chose, and nothing else any more. After <see cref="Attach"/>.</summary>
    public void OwnChosen()
    {
        lock (_state)
        {
            foreach (var number in _registrations.Keys.Except(_actions!.Keys).ToList())
            {
                _registrations.Remove(number, out var given);
                given!.Dispose();
            }

            foreach (var number in _actions.Keys.Except(_registrations.Keys).ToList())
            {
                Own(number);
            }
        }
    }

    /// <summary>Passes a signal on.</summary>
    /// <returns>Whether it was heard. If not, it does what it does where nobody listens: it kills.</returns>
    public bool TryTake(int number)
    {
        lock (_state)
        {
            if (_engine is not null)
            {
                return Do(number);
            }

            _signalled = true;
            if (_pending != 0)
            {
                // A second signal while there is no engine yet: nothing was begun that could end in order.
                return false;
            }

            _pending = number;
            return true;
        }
    }

    /// <summary>Leaves these signals to another owner, before <see cref="Attach"/>.</summary>
    /// <returns>The one of them that came already; 0 for none.</returns>
    public int Cede(IReadOnlySet<int> numbers)
    {
        lock (_state)
        {
            foreach (var number in _registrations.Keys.Where(numbers.Contains).ToList())
            {
                _registrations.Remove(number, out var given);
                given!.Dispose();
            }

            if (!numbers.Contains(_pending))
            {
                return 0;
            }

            var came = _pending;
            _pending = 0;
            _signalled = false;
            return came;
        }
    }

    public void Dispose()
    {
        lock (_state)
        {
            if (_signalled && _ownsProcess)
            {
                // The process is on its way to its exit: one more signal in the last moments must not make that a kill.
                return;
            }

            foreach (var registration in _registrations.Values)
            {
                registration.Dispose();
            }
        }
    }

    private bool Do(int number)
    {
        if (!_actions!.TryGetValue(number, out var action))
        {
            // It was on its way while its owner let it go.
            return false;
        }

        if (action.Handler is { } handler)
        {
            _engine!.Call(handler, SignalNumber.NameOf(number));
            return true;
        }

        _signalled = true;
        _engine!.Stop(Trigger.NewSignal(number));
        if (ReferenceEquals(action, SignalAction.StopNow))
        {
            _engine.Post(Event.NewForceRequested(ForceCause.StopNow));
        }

        return true;
    }

    private void Own(int number) => _registrations[number] = SignalNumber.Register(number, TryTake);
}
