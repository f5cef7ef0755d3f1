using Graceful.Core;
using Graceful.Engine;

namespace Graceful.Serving;

/// <summary>What a server serves from one call to its end. A stop that is asked for before there is a host is kept for it.</summary>
internal sealed class Turn
{
    private readonly Lock _state = new();
    private readonly TaskCompletionSource<IGraceful> _started = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource<ShutdownReport> _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource<Task<bool>> _carriedOver = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private LifecycleEngine? _engine;
    private IGraceful? _graceful;
    private bool _closed;
    private string? _closedBy;
    private bool _mustEnd;

    /// <summary>Its host; null before it is built.</summary>
    public LifecycleEngine? Engine => Volatile.Read(ref _engine);

    /// <summary>Where it listens; empty before it does.</summary>
    public IReadOnlyList<string> Addresses { get; private set; } = [];

    /// <summary>Connections that are new or have a request in flight.</summary>
    public int BusyConnections => Engine?.ConnectionsByPhase() is { } counts
        ? counts[(int)ConnectionPhase.New] + counts[(int)ConnectionPhase.Active]
        : 0;

    public Task<IGraceful> Started => _started.Task;

    public Task<ShutdownReport> Ended => _ended.Task;

    /// <summary>Asks for the stop; true for the first who does, false when it is prevented.</summary>
    public bool Close(string? by) => Keeps(by, out var first) ? first : by is null ? _graceful!.Close() : _graceful!.Close(by);

    /// <summary>Asks for the stop and waits for the end; false at once when it is prevented, and as soon as it is undone. Inside a hook it does not wait.</summary>
    public async Task<bool> CloseAsync(string? by, CancellationToken cancellationToken)
    {
        if (Engine is { IsInsideHook: true })
        {
            return Close(by);
        }

        var closing = Keeps(by, out var first) ? _carriedOver.Task.Unwrap() : AskAsync(by, cancellationToken);
        var closed = false;
        try
        {
            closed = await closing.WaitAsync(cancellationToken).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            // It failed before its end, and whoever serves hears of that.
        }

        if (Engine is { Reported.IsCompleted: true })
        {
            await EndAsync(cancellationToken).ConfigureAwait(false);
        }

        return closed && first;
    }

    /// <summary>Has it end: nobody prevents that, and nobody undoes it.</summary>
    public void MustEnd()
    {
        lock (_state)
        {
            _mustEnd = true;
            Engine?.Stop(Trigger.HostStopped);
        }
    }

    /// <summary>Waits for the end, whatever it is: that is for whoever serves.</summary>
    public async Task EndAsync(CancellationToken cancellationToken)
    {
        await ((Task)Ended).WaitAsync(cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (!Ended.IsCompleted)
        {
            cancellationToken.ThrowIfCancellationRequested();
        }
    }

    /// <summary>From now on its host is asked; first what was kept for it.</summary>
    public void Attach(LifecycleEngine engine, IGraceful graceful)
    {
        bool closed;
        lock (_state)
        {
            Volatile.Write(ref _engine, engine);
            _graceful = graceful;
            closed = _closed;
        }

        if (closed)
        {
            // Not in the lock: whoever may prevent it is the user's code.
            _carriedOver.TrySetResult(AskAsync(_closedBy, CancellationToken.None));
        }

        lock (_state)
        {
            _closed = false;
            if (_mustEnd)
            {
                engine.Stop(Trigger.HostStopped);
            }
        }
    }

    public void Start(IEnumerable<string> addresses)
    {
        Addresses = [.. addresses];
        _started.TrySetResult(_graceful!);
    }

    public void End(ShutdownReport report) => _ended.TrySetResult(report);

    public void Fail(Exception e)
    {
        _started.TrySetException(e);
        _ended.TrySetException(e);
        _carriedOver.TrySetCanceled();
        // Whoever serves hears of it; that nobody asked for these is no fault.
        _ = _started.Task.Exception;
        _ = _ended.Task.Exception;
    }

    private Task<bool> AskAsync(string? by, CancellationToken cancellationToken) =>
        by is null ? _graceful!.CloseAsync(cancellationToken) : _graceful!.CloseAsync(by, cancellationToken);

    /// <summary>Whether there is nobody who can be asked: it is kept, or too late.</summary>
    /// <param name="by">Who asks.</param>
    /// <param name="first">False for whoever joins another, or comes too late.</param>
    private bool Keeps(string? by, out bool first)
    {
        lock (_state)
        {
            first = !_closed && !Ended.IsCompleted;
            if (!first || _graceful is not null)
            {
                return !first;
            }

            _closed = true;
            _closedBy = by;
            return true;
        }
    }
}
