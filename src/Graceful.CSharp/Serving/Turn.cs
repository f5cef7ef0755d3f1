using Graceful.Core;
using Graceful.Engine;

namespace Graceful.Serving;

/// <summary>What a server serves from one call to its end. A stop that is asked for before there is an engine is kept for it.</summary>
internal sealed class Turn
{
    private readonly Lock _state = new();
    private readonly TaskCompletionSource<IGraceful> _started = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource<ShutdownReport> _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private LifecycleEngine? _engine;
    private bool _closed;
    private string? _closedBy;

    /// <summary>Its host; null before it is built.</summary>
    public LifecycleEngine? Engine => Volatile.Read(ref _engine);

    /// <summary>Where it listens; empty before it does.</summary>
    public IReadOnlyList<string> Addresses { get; private set; } = [];

    /// <summary>Connections that are new or have a request in flight.</summary>
    public int BusyConnections
    {
        get
        {
            var count = 0;
            if (Engine is { } engine)
            {
                foreach (var (connection, _) in engine.Table)
                {
                    var phase = ConnectionModule.phase(connection.Now);
                    count += phase.IsNew || phase.IsActive ? 1 : 0;
                }
            }

            return count;
        }
    }

    public Task<IGraceful> Started => _started.Task;

    public Task<ShutdownReport> Ended => _ended.Task;

    /// <summary>Asks for the stop; true for the first who does.</summary>
    public bool Close(string? by)
    {
        lock (_state)
        {
            if (_closed || _ended.Task.IsCompleted)
            {
                return false;
            }

            if (_engine is not null)
            {
                return _engine.Stop(Trigger.Requested, by);
            }

            _closed = true;
            _closedBy = by;
            return true;
        }
    }

    public void Attach(LifecycleEngine engine)
    {
        lock (_state)
        {
            Volatile.Write(ref _engine, engine);
            if (_closed)
            {
                engine.Stop(Trigger.Requested, _closedBy);
            }
        }
    }

    public void Start(IGraceful graceful, IEnumerable<string> addresses)
    {
        Addresses = [.. addresses];
        _started.TrySetResult(graceful);
    }

    public void End(ShutdownReport report) => _ended.TrySetResult(report);

    public void Fail(Exception e)
    {
        _started.TrySetException(e);
        _ended.TrySetException(e);
        // Whoever serves hears of it; that nobody asked for these is no fault.
        _ = _started.Task.Exception;
        _ = _ended.Task.Exception;
    }
}
