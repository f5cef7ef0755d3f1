using System.Runtime.InteropServices;
using Graceful.Core;
using Graceful.Engine;

namespace Graceful.Posix;

/// <summary>
/// Owns SIGTERM, SIGINT and SIGQUIT from the moment it is made, which is before there is a host. Without an owner these
/// signals kill the process at once.
/// </summary>
internal sealed class SignalSource : IDisposable
{
    private readonly Lock _state = new();
    private readonly PosixSignalRegistration[] _registrations;
    private LifecycleEngine? _engine;
    private int _pending;
    private bool _signalled;

    public SignalSource(params ReadOnlySpan<PosixSignal> owned)
    {
        _registrations = new PosixSignalRegistration[owned.Length];
        for (var index = 0; index < owned.Length; index++)
        {
            _registrations[index] = PosixSignalRegistration.Create(owned[index], Handle);
        }
    }

    /// <summary>From now on signals go to this engine; one that came before goes there now.</summary>
    public void Attach(LifecycleEngine engine)
    {
        lock (_state)
        {
            _engine = engine;
            if (_pending != 0)
            {
                engine.Stop(Trigger.NewSignal(_pending));
            }
        }
    }

    /// <summary>Passes a signal on.</summary>
    /// <returns>Whether it was heard. If not, it does what it does where nobody listens: it kills.</returns>
    public bool TryTake(int number)
    {
        lock (_state)
        {
            _signalled = true;
            if (_engine is not null)
            {
                _engine.Stop(Trigger.NewSignal(number));
                return true;
            }

            if (_pending != 0)
            {
                // A second signal while there is no engine yet: nothing was begun that could end in order.
                return false;
            }

            _pending = number;
            return true;
        }
    }

    public void Dispose()
    {
        lock (_state)
        {
            if (_signalled)
            {
                // The process is on its way to its exit: one more signal in the last moments must not make that a kill.
                return;
            }
        }

        foreach (var registration in _registrations)
        {
            registration.Dispose();
        }
    }

    private void Handle(PosixSignalContext context) => context.Cancel = TryTake(context.Signal switch
    {
        PosixSignal.SIGINT => 2,
        PosixSignal.SIGQUIT => 3,
        _ => 15,
    });
}
