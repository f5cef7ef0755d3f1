using System.Net;
using System.Net.Sockets;
using Graceful.Core;
using Graceful.Engine;
using Graceful.Serving;

namespace Graceful.Sockets;

/// <summary>
/// Gives the one connection to the first who accepts; the second waits until it is closed, and the server leaves then. It is in the table
/// from the beginning, asked for or not, so a pause has nothing to hold back.
/// </summary>
internal sealed class AcceptedIntake(AcceptedConnection accepted, RawEntrance entrance) : IRawIntake
{
    private readonly TaskCompletionSource _stopped = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private GracefulConnection? _connection;

    public EndPoint EndPoint { get; } = new AcceptedEndPoint(accepted).Address;

    public bool IsShared
    {
        get => false;
        set
        {
            if (value)
            {
                throw NothingListens();
            }
        }
    }

    public bool IsAnybodyWaiting => false;

    /// <summary>Lets the connection in.</summary>
    /// <returns>False when somebody else has taken it.</returns>
    public bool TryBegin()
    {
        if (accepted.TryTake() is not { } socket)
        {
            return false;
        }

        _connection = entrance.Admit(socket, End);
        if (_connection is null)
        {
            End();
        }
        else if (!accepted.KeepAlive)
        {
            _connection.Raw.Apply(ConnectionEvent.Retire);
        }

        return true;
    }

    public async ValueTask<GracefulConnection?> AcceptAsync(CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        if (Interlocked.Exchange(ref _connection, null) is { } connection)
        {
            return connection;
        }

        await Task.WhenAny(accepted.Ended, _stopped.Task).WaitAsync(cancellationToken).ConfigureAwait(false);
        return null;
    }

    public Task PauseAsync() => Task.CompletedTask;

    public void Resume()
    {
    }

    public Task<IntakeOutcome> StopAsync(bool successorHasIt) => CutAsync();

    public Task<IntakeOutcome> CutAsync()
    {
        _stopped.TrySetResult();
        return Task.FromResult(new IntakeOutcome(EndPoint.ToString()!, "accepting stopped", 0, null));
    }

    public SafeSocketHandle Duplicate(bool forChildren) => throw NothingListens();

    /// <summary>Resets the connection if nobody has asked for it.</summary>
    public void Dispose() => Interlocked.Exchange(ref _connection, null)?.Raw.Apply(ConnectionEvent.Abort);

    private void End()
    {
        accepted.End();
        entrance.Engine.Stop(Trigger.ConnectionEnded);
    }

    private static InvalidOperationException NothingListens() =>
        new("The listener serves one connection that was accepted before; allowed is that of a socket that listens, which alone can be shared or cloned.");
}
