using System.Net;
using System.Net.Sockets;
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
    ILoggerFactory loggers) : IConnectionListener, IIntake
{
    /// <summary>The last call is over at once; this is for an accept loop that is stuck.</summary>
    private static readonly TimeSpan LastCallLimit = TimeSpan.FromSeconds(2);

    private readonly ILogger _log = loggers.CreateLogger(Log.Category);
    private readonly CancellationTokenSource _lastCall = new();
    private readonly CancellationTokenSource _cutOff = new();
    private readonly TaskCompletionSource _loopEnded = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private bool _leaveTheQueue;
    private int _inLastCall;
    private int _unbound;

    public EndPoint EndPoint => listener.EndPoint;

    public async ValueTask<ConnectionContext?> AcceptAsync(CancellationToken cancellationToken = default)
    {
        try
        {
            while (await NextAsync().ConfigureAwait(false) is { } transport)
            {
                var connection = new KestrelConnection(engine, transport);
                if (connection.TryEnter())
                {
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
            method = _leaveTheQueue ? method : "last call";
            if (!_leaveTheQueue && EndPoint is IPEndPoint)
            {
                // What keeps newcomers out is a property of the socket, and a user's may have more holders than we know.
                var stop = IntakeStop.Begin(socket!, users is null ? options.Intake : options.Intake ?? IntakeMethod.LastCall);
                remark = stop.Why;
                method = stop.Method switch
                {
                    IntakeMethod.SynFilter => "SYN filter",
                    IntakeMethod.Unplug => "unplugged",
                    _ => method,
                };
                if (stop.Method != IntakeMethod.LastCall && options.SettleTime > TimeSpan.Zero)
                {
                    await Task.Delay(options.SettleTime, options.TimeProvider).ConfigureAwait(false);
                }
            }
            else if (!_leaveTheQueue && EndPoint is UnixDomainSocketEndPoint && Address is [not '@', ..])
            {
                // Whoever comes now finds no file, which says the same as a refusal. (An abstract socket, with an '@', has none.)
                remark = TryDelete(Address);
            }

            if (socket is null)
            {
                // Nothing to take from: the transport is asked to end its own loop.
                await UnbindAsync().ConfigureAwait(false);
            }

            await _lastCall.CancelAsync().ConfigureAwait(false);
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

    public ValueTask UnbindAsync(CancellationToken cancellationToken = default) =>
        Interlocked.Exchange(ref _unbound, 1) == 0 ? listener.UnbindAsync(cancellationToken) : default;

    public async ValueTask DisposeAsync()
    {
        engine.Remove(this);
        await listener.DisposeAsync().ConfigureAwait(false);
        _lastCall.Dispose();
        _cutOff.Dispose();
    }

    private static string? TryDelete(string path)
    {
        try
        {
            File.Delete(path);
            return null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return $"its file stayed: {e.Message}";
        }
    }

    private string Address => EndPoint.ToString() ?? "?";

    private async ValueTask<ConnectionContext?> NextAsync()
    {
        if (!_lastCall.IsCancellationRequested)
        {
            try
            {
                return await listener.AcceptAsync(_lastCall.Token).ConfigureAwait(false);
            }
            catch (OperationCanceledException) when (_lastCall.IsCancellationRequested)
            {
                // The last call: from here on only who is in the queue already.
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
