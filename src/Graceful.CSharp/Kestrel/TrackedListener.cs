using System.Net;
using System.Net.Sockets;
using System.Runtime.CompilerServices;
using Graceful.Engine;
using Graceful.Reporting;
using Graceful.Sockets;
using Microsoft.AspNetCore.Connections;
using Microsoft.Extensions.Logging;

namespace Graceful.Kestrel;

/// <summary>
/// A listener whose connections are tracked, and which can stop its intake without losing one. Kestrel's accept loop calls
/// <see cref="AcceptAsync"/> one after the other until it gets <see langword="null"/>.
/// </summary>
internal sealed class TrackedListener(
    IConnectionListener listener,
    Socket? socket,
    bool borrowed,
    LifecycleEngine engine,
    GracefulOptions options,
    ILoggerFactory loggers,
    SocketFile? file = null) : IConnectionListener, IIntake
{
    /// <summary>The last call is over at once; this is for an accept loop that is stuck.</summary>
    private static readonly TimeSpan LastCallLimit = TimeSpan.FromSeconds(2);

    /// <summary>An accept ends at once when it is told to; this is for one that does not hear.</summary>
    private static readonly TimeSpan PauseLimit = TimeSpan.FromSeconds(2);

    private readonly ILogger _log = loggers.CreateLogger(Log.Category);
    private readonly AcceptPause _pause = new();
    private readonly CancellationTokenSource _cutOff = new();
    private readonly TaskCompletionSource _loopEnded = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private bool _isLastCall;
    private bool _leaveTheQueue;
    private int _inLastCall;
    private int _unbound;

    public EndPoint EndPoint => listener.EndPoint;

    public bool IsAnybodyWaiting
    {
        get
        {
            try
            {
                return !_loopEnded.Task.IsCompleted
                    && (!_pause.IsHeld || (socket is not null && socket.Poll(TimeSpan.Zero, SelectMode.SelectRead)));
            }
            catch (Exception e) when (e is ObjectDisposedException or SocketException)
            {
                // Nothing is queued in a closed socket.
                return false;
            }
        }
    }

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    public async ValueTask<ConnectionContext?> AcceptAsync(CancellationToken cancellationToken = default)
    {
        try
        {
            while (await NextAsync().ConfigureAwait(false) is { } transport)
            {
                var connection = new KestrelConnection(engine, transport);
                if (connection.TryEnter())
                {
                    engine.NoteCrowd();
                    var lone = listener as AcceptedListener;
                    lone?.Admit(connection);
                    return new TrackedContext(transport, connection, lone is null ? null : lone.End);
                }

                // The stop was forced meanwhile: nobody is let in any more.
                transport.Abort();
                await transport.DisposeAsync().ConfigureAwait(false);
            }

            _loopEnded.TrySetResult();
            return null;
        }
        catch (Exception e)
        {
            // Kestrel's loop ends with this, and says so.
            _loopEnded.TrySetResult();
            Log.IntakeFailed(_log, e, Address);
            throw;
        }
    }

    public async Task PauseAsync()
    {
        try
        {
            await Task.WhenAny(_pause.Hold(), _loopEnded.Task).WaitAsync(PauseLimit).ConfigureAwait(false);
        }
        catch (TimeoutException)
        {
            Log.IntakeNotPaused(_log, Address);
        }
    }

    public void Resume() => _pause.Release();

    public async Task<IntakeOutcome> StopAsync(bool successorHasIt)
    {
        // A descriptor that was given to us belongs to somebody who goes on with it.
        _leaveTheQueue = true;
        var method = "accepting stopped";
        string? remark = null;
        try
        {
            var users = listener as KeptListener;
            _leaveTheQueue = successorHasIt || borrowed || socket is null || (users is not null && engine.Reason is { } reason && await users.IsKeptAsync(reason, engine.Aborting).ConfigureAwait(false));
            if (!_leaveTheQueue)
            {
                // What keeps newcomers out is a property of the socket, and a user's may have more holders than we know.
                var wanted = users is null ? options.Intake : options.Intake ?? IntakeMethod.LastCall;
                (method, remark) = await ListeningSocket
                    .KeepOutAsync(socket!, EndPoint, wanted, options.SettleTime, options.TimeProvider).ConfigureAwait(false);
            }

            if (socket is null)
            {
                // Nothing to take from: the transport is asked to end its own loop.
                await UnbindAsync().ConfigureAwait(false);
            }

            // The last call: from here on only who is in the queue already.
            Volatile.Write(ref _isLastCall, true);
            await _pause.EndAcceptingAsync().ConfigureAwait(false);
            await _loopEnded.Task.WaitAsync(LastCallLimit).ConfigureAwait(false);
        }
        catch (TimeoutException)
        {
            Log.IntakeCutOff(_log, Address, Durations.Text(LastCallLimit));
            await _cutOff.CancelAsync().ConfigureAwait(false);
        }
#pragma warning disable CA1031 // A listener that can't be closed in order is closed anyhow: the way out goes on.
        catch (Exception e)
#pragma warning restore CA1031
        {
            Log.IntakeNotInOrder(_log, e, Address);
        }
        finally
        {
            await UnbindAsync().ConfigureAwait(false);
        }

        return new IntakeOutcome(Address, method, _inLastCall, remark);
    }

    public async ValueTask UnbindAsync(CancellationToken cancellationToken = default)
    {
        try
        {
            if (Interlocked.Exchange(ref _unbound, 1) == 0)
            {
                if (file is not null && !_leaveTheQueue)
                {
                    // Where the start fails nobody has asked us to stop, and the file is still there.
                    _ = file.Remove();
                }

                await listener.UnbindAsync(cancellationToken).ConfigureAwait(false);
            }
        }
        finally
        {
            // Not before: a loop that was held must find that there is nothing to accept.
            _pause.End();
        }
    }

    public async ValueTask DisposeAsync()
    {
        engine.Intakes.Remove(this);
        await listener.DisposeAsync().ConfigureAwait(false);
        _cutOff.Dispose();
    }

    private string Address => EndPoint.ToString() ?? "?";

    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    private async ValueTask<ConnectionContext?> NextAsync()
    {
        while (await _pause.PassAsync().ConfigureAwait(false) is var accepting && !Volatile.Read(ref _isLastCall))
        {
            try
            {
                return await listener.AcceptAsync(accepting).ConfigureAwait(false);
            }
            catch (OperationCanceledException) when (accepting.IsCancellationRequested)
            {
                // A pause, or the last call.
            }
        }

        if (_leaveTheQueue)
        {
            return null;
        }

        if (await FromQueueAsync().ConfigureAwait(false) is { } queued)
        {
            _inLastCall++;
            return queued;
        }

        // Closed on this very thread: the sooner after the last look, the fewer come in between.
        await UnbindAsync().ConfigureAwait(false);
        return null;
    }

    private async ValueTask<ConnectionContext?> FromQueueAsync()
    {
        try
        {
            return socket!.Poll(TimeSpan.Zero, SelectMode.SelectRead)
                ? await listener.AcceptAsync(_cutOff.Token).ConfigureAwait(false)
                : null;
        }
        catch (Exception e) when (e is OperationCanceledException or ObjectDisposedException or SocketException)
        {
            return null;
        }
    }
}
