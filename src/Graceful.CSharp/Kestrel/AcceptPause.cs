namespace Graceful.Kestrel;

/// <summary>
/// The place in an accept loop where it can be held. The loop passes here before each accept and is given the token for it, so that a loop
/// that is held has nobody on his way in.
/// </summary>
#pragma warning disable CA1001 // Without a timer or a wait handle there is nothing to dispose.
internal sealed class AcceptPause
#pragma warning restore CA1001
{
    private readonly Lock _state = new();
    private CancellationTokenSource _accepting = new();
    private TaskCompletionSource? _held;
    private TaskCompletionSource? _goOn;
    private bool _isOver;

    /// <summary>Whether the loop is here; also true when there is nothing to hold any more.</summary>
    public bool IsHeld
    {
        get
        {
            lock (_state)
            {
                return _isOver || _held is { Task.IsCompleted: true };
            }
        }
    }

    /// <summary>Holds the loop the next time it passes, and ends the accept that it waits for.</summary>
    /// <returns>Completes when it is held, or goes on again.</returns>
    public Task Hold()
    {
        CancellationTokenSource accepting;
        Task held;
        lock (_state)
        {
            if (_isOver || _held is not null)
            {
                return _held?.Task ?? Task.CompletedTask;
            }

            _held = new(TaskCreationOptions.RunContinuationsAsynchronously);
            _goOn = new(TaskCreationOptions.RunContinuationsAsynchronously);
            held = _held.Task;
            accepting = _accepting;
        }

        // Elsewhere: what follows on the end of an accept is the transport's.
        _ = accepting.CancelAsync();
        return held;
    }

    /// <summary>Lets the loop go on; harmless when it is not held.</summary>
    public void Release()
    {
        TaskCompletionSource? goOn;
        lock (_state)
        {
            if (_held is null)
            {
                return;
            }

            _accepting = new CancellationTokenSource();
            _held.TrySetResult();
            goOn = _goOn;
            _held = _goOn = null;
        }

        goOn!.TrySetResult();
    }

    /// <summary>Lets the loop go on for good: from now on it is not held.</summary>
    public void End()
    {
        lock (_state)
        {
            _isOver = true;
        }

        Release();
    }

    /// <summary>As <see cref="End"/>, and ends the accept that the loop waits for.</summary>
    public Task EndAcceptingAsync()
    {
        End();
        lock (_state)
        {
            return _accepting.CancelAsync();
        }
    }

    /// <summary>The loop comes by, and waits here as long as it is held.</summary>
    /// <returns>What ends the accept that follows.</returns>
    public async ValueTask<CancellationToken> PassAsync()
    {
        while (true)
        {
            Task goOn;
            lock (_state)
            {
                if (_held is null)
                {
                    return _accepting.Token;
                }

                _held.TrySetResult();
                goOn = _goOn!.Task;
            }

            await goOn.ConfigureAwait(false);
        }
    }
}
