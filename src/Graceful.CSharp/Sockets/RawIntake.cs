using System.Net;
using System.Net.Sockets;
using System.Threading.Channels;
using Graceful.Core;
using Graceful.Engine;
using Graceful.Reporting;

namespace Graceful.Sockets;

/// <summary>
/// Accepts for whoever asks, and stops so that nobody is lost: whoever is in the queue of a socket that we own is taken on the last call,
/// and kept until somebody asks.
/// </summary>
internal sealed class RawIntake : IRawIntake
{
    /// <summary>The last call is over at once; this is for a queue that never gets empty, and for accepts that do not end.</summary>
    private static readonly TimeSpan LastCallLimit = TimeSpan.FromSeconds(2);

    private readonly Socket _socket;
    private readonly bool _isActivated;
    private readonly LifecycleEngine _engine;
    private readonly RawEntrance _entrance;
    private readonly Lock _door = new();
    private readonly Channel<GracefulConnection> _kept = Channel.CreateUnbounded<GracefulConnection>();
    private CancellationTokenSource _interrupt = new();
    private TaskCompletionSource? _resumed;
    private TaskCompletionSource? _nobodyAccepts;
    private Task<IntakeOutcome>? _stop;
    private int _accepting;

    public RawIntake(Socket socket, RawEntrance entrance, bool isShared)
    {
        _socket = socket;
        _isActivated = ActivatedSocket.IsOf(socket);
        _engine = entrance.Engine;
        _entrance = entrance;
        IsShared = isShared;
        EndPoint = socket.LocalEndPoint!;
        Address = EndPoint.ToString()!;
        UnixListener.Remember(socket);
    }

    public EndPoint EndPoint { get; }

    /// <summary>Whether somebody else holds the socket too.</summary>
    public bool IsShared { get => field || _isActivated; set; }

    /// <summary>
    /// Whether somebody is in the queue; also when it was to pause and could not, for then nobody can say. Who waits where nobody is accepted
    /// any more waits for somebody else.
    /// </summary>
    public bool IsAnybodyWaiting => !IsStopped && (IsStuck || IsAnybodyInTheQueue);

    private bool IsAnybodyInTheQueue
    {
        get
        {
            try
            {
                return _socket.Poll(TimeSpan.Zero, SelectMode.SelectRead);
            }
            catch (Exception e) when (e is SocketException or ObjectDisposedException)
            {
                return false;
            }
        }
    }

    private string Address { get; }

    private bool IsStopped
    {
        get
        {
            lock (_door)
            {
                return _stop is not null;
            }
        }
    }

    private bool IsStuck
    {
        get
        {
            lock (_door)
            {
                return _resumed is not null && _accepting > 0;
            }
        }
    }

    public async ValueTask<GracefulConnection?> AcceptAsync(CancellationToken cancellationToken)
    {
        while (true)
        {
            cancellationToken.ThrowIfCancellationRequested();
            if (!TryBegin(out var interrupt, out var resumed))
            {
                if (resumed is null)
                {
                    return await TakeKeptAsync(cancellationToken).ConfigureAwait(false);
                }

                await resumed.WaitAsync(cancellationToken).ConfigureAwait(false);
                continue;
            }

            var isInTrouble = false;
            try
            {
                if (await TryAcceptAsync(interrupt, cancellationToken).ConfigureAwait(false) is { } connection)
                {
                    return connection;
                }
            }
            catch (SocketException e) when (!AcceptErrors.IsGone(e))
            {
                isInTrouble = !AcceptErrors.IsOfANewcomer(e);
            }
            catch (Exception e) when (AcceptErrors.IsGone(e))
            {
                Fail(e);
            }
            finally
            {
                End();
            }

            if (isInTrouble)
            {
                // Of this connection only, or for the moment: accept(2) says what has become of a newcomer's network too.
                await Task.Delay(AcceptErrors.Breath, cancellationToken).ConfigureAwait(false);
            }
        }
    }

    public async Task PauseAsync()
    {
        CancellationTokenSource interrupt;
        lock (_door)
        {
            if (_stop is not null)
            {
                return;
            }

            interrupt = _interrupt;
            _resumed ??= new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        }

        await InterruptAsync(interrupt).ConfigureAwait(false);
    }

    public void Resume()
    {
        lock (_door)
        {
            if (_resumed is { } resumed)
            {
                _resumed = null;
                _interrupt = new CancellationTokenSource();
                resumed.SetResult();
            }
        }
    }

    public Task<IntakeOutcome> StopAsync(bool successorHasIt) => StopAsync(() => StopInOrderAsync(successorHasIt || IsShared));

    /// <summary>As <see cref="IRawIntake.CutAsync"/>: closes the socket over whoever is in its queue, unless it is shared.</summary>
    public Task<IntakeOutcome> CutAsync() => StopAsync(async () =>
    {
        await InterruptAsync(_interrupt).ConfigureAwait(false);
        Close();
        return new IntakeOutcome(Address, "closed", 0, null);
    });

    public SafeSocketHandle Duplicate(bool forChildren)
    {
        var handle = SocketClone.Of(_socket, forChildren);
        IsShared = true;
        return handle;
    }

    /// <summary>Resets whoever was kept and not asked for.</summary>
    public void Dispose()
    {
        while (_kept.Reader.TryRead(out var connection))
        {
            connection.Raw.Apply(ConnectionEvent.Abort);
        }
    }

    private Task<IntakeOutcome> StopAsync(Func<Task<IntakeOutcome>> how)
    {
        lock (_door)
        {
            _stop ??= Task.Run(how);
            _resumed?.TrySetResult();
            _resumed = null;
            return _stop;
        }
    }

    /// <summary>False when nobody accepts now; then <paramref name="resumed"/> says when to ask again, if ever.</summary>
    private bool TryBegin(out CancellationToken interrupt, out Task? resumed)
    {
        lock (_door)
        {
            interrupt = _interrupt.Token;
            resumed = _resumed?.Task;
            if (resumed is not null || (_stop is not null && interrupt.IsCancellationRequested))
            {
                return false;
            }

            _accepting++;
            return true;
        }
    }

    private void End()
    {
        lock (_door)
        {
            if (--_accepting == 0)
            {
                _nobodyAccepts?.TrySetResult();
            }
        }
    }

    /// <summary>Completes when nobody accepts any more, or does not stop doing so.</summary>
    private async Task InterruptAsync(CancellationTokenSource interrupt)
    {
        await interrupt.CancelAsync().ConfigureAwait(false);
        Task nobodyAccepts;
        lock (_door)
        {
            if (_accepting == 0 || interrupt != _interrupt)
            {
                return;
            }

            // Nobody begins to accept any more, so the next time that nobody does is the last.
            if (_nobodyAccepts is null or { Task.IsCompleted: true })
            {
                _nobodyAccepts = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            }

            nobodyAccepts = _nobodyAccepts.Task;
        }

        await Task.WhenAny(nobodyAccepts, Task.Delay(LastCallLimit)).ConfigureAwait(false);
    }

    private async Task<GracefulConnection?> TakeKeptAsync(CancellationToken cancellationToken)
    {
        while (await _kept.Reader.WaitToReadAsync(cancellationToken).ConfigureAwait(false))
        {
            if (_kept.Reader.TryRead(out var connection))
            {
                return connection;
            }
        }

        return null;
    }

    /// <summary>Null when it was interrupted, or whoever came went at once.</summary>
    private async Task<GracefulConnection?> TryAcceptAsync(CancellationToken interrupt, CancellationToken cancellationToken)
    {
        using var either = cancellationToken.CanBeCanceled
            ? CancellationTokenSource.CreateLinkedTokenSource(interrupt, cancellationToken)
            : null;
        try
        {
            return _entrance.Admit(await _socket.AcceptAsync(either?.Token ?? interrupt).ConfigureAwait(false));
        }
        catch (OperationCanceledException) when (interrupt.IsCancellationRequested || cancellationToken.IsCancellationRequested)
        {
            return null;
        }
    }

    private async Task<IntakeOutcome> StopInOrderAsync(bool leaveTheQueue)
    {
        var (method, remark, taken) = ("accepting stopped", (string?)null, 0);
        try
        {
            if (!leaveTheQueue)
            {
                var options = _engine.Options;
                (method, remark) = await ListeningSocket
                    .KeepOutAsync(_socket, EndPoint, options.Intake, options.SettleTime, options.TimeProvider).ConfigureAwait(false);
            }

            await InterruptAsync(_interrupt).ConfigureAwait(false);
            if (!leaveTheQueue)
            {
                taken = await LastCallAsync().ConfigureAwait(false);
            }
        }
#pragma warning disable CA1031 // A listener that can't be closed in order is closed anyhow: the way out goes on.
        catch (Exception e)
#pragma warning restore CA1031
        {
            _engine.Say(log => Log.IntakeNotInOrder(log, e, Address));
        }
        finally
        {
            Close();
        }

        return new IntakeOutcome(Address, method, taken, remark);
    }

    /// <summary>Takes whoever is in the queue.</summary>
    private async Task<int> LastCallAsync()
    {
        var taken = 0;
        using var limit = new CancellationTokenSource(LastCallLimit);
        while (!limit.IsCancellationRequested && IsAnybodyInTheQueue)
        {
            try
            {
                if (_entrance.Admit(await _socket.AcceptAsync(limit.Token).ConfigureAwait(false)) is { } connection)
                {
                    taken++;
                    _kept.Writer.TryWrite(connection);
                }
            }
            catch (Exception e) when (e is OperationCanceledException || AcceptErrors.IsGone(e))
            {
                return taken;
            }
            catch (SocketException e)
            {
                if (!AcceptErrors.IsOfANewcomer(e))
                {
                    await Task.Delay(AcceptErrors.Breath, limit.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                }
            }
        }

        return taken;
    }

    private void Fail(Exception e)
    {
        lock (_door)
        {
            if (_stop is not null)
            {
                // It was closed by us.
                return;
            }
        }

        _ = CutAsync();
        _engine.Fail($"the listening socket {Address}", e);
    }

    private void Close()
    {
        if (!IsShared)
        {
            UnixListener.Close(_socket);
        }

        _kept.Writer.TryComplete();
    }
}
