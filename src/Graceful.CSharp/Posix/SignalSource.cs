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

    public SignalSource() => _registrations =
    [
        PosixSignalRegistration.Create(PosixSignal.SIGTERM, Handle),
        PosixSignalRegistration.Create(PosixSignal.SIGINT, Handle),
        PosixSignalRegistration.Create(PosixSignal.SIGQUIT, Handle),
    ];

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

    private void Handle(PosixSignalContext context)
    {
        var number = context.Signal switch
        {
            PosixSignal.SIGINT => 2,
            PosixSignal.SIGQUIT => 3,
            _ => 15,
        };
        lock (_state)
        {
            _signalled = true;
            if (_engine is not null)
            {
                context.Cancel = true;
                _engine.Stop(Trigger.NewSignal(number));
            }
            else if (_pending == 0)
            {
                context.Cancel = true;
                _pending = number;
            }

            // A second signal while there is no engine yet: nothing was begun that could end in order, so it kills.
        }
    }
}
