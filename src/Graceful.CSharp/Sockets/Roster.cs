using Graceful.Core;
using Graceful.Engine;

namespace Graceful.Sockets;

/// <summary>The connections of one listener, with a gate of their own beside the server's: everybody-left is exact for the listener too.</summary>
internal sealed class Roster
{
    private const int Outside = 0;
    private const int Inside = 1;
    private const int Left = 2;

    private readonly GateCell _gate = new();
    private readonly TaskCompletionSource _empty = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public Table<RawConnection> Table { get; } = new();

    /// <summary>Completes when the last one has left after the gate was told to drain or shut.</summary>
    public Task Empty => _empty.Task;

    /// <summary>Registers, then enters, here and on the server.</summary>
    /// <returns>False when nobody is let in any more; the connection is reset.</returns>
    public bool TryEnter(RawConnection connection)
    {
        if (!connection.TryEnter())
        {
            connection.Socket.Dispose();
            return false;
        }

        Table.Add(connection);
        var answer = _gate.Step(GateEvent.Enter);
        if (answer == GateEffect.Tags.Refuse)
        {
            Table.Remove(connection);
            connection.Apply(ConnectionEvent.Abort);
            return false;
        }

        if (answer == GateEffect.Tags.AdmitRetiring)
        {
            connection.Apply(ConnectionEvent.Retire);
        }

        // The server may have closed it meanwhile: then it left before it was in here.
        if (Interlocked.CompareExchange(ref connection.Place, Inside, Outside) == Left)
        {
            Remove(connection);
        }

        return true;
    }

    public void Leave(RawConnection connection)
    {
        if (Interlocked.Exchange(ref connection.Place, Left) == Inside)
        {
            Remove(connection);
        }
    }

    public void Step(GateEvent happened)
    {
        if (_gate.Step(happened) == GateEffect.Tags.Emptied)
        {
            _empty.TrySetResult();
        }
    }

    public void ApplyToAll(ConnectionEvent happened)
    {
        foreach (var (connection, _) in Table)
        {
            connection.Apply(happened);
        }
    }

    private void Remove(RawConnection connection)
    {
        Table.Remove(connection);
        Step(GateEvent.Leave);
    }
}
