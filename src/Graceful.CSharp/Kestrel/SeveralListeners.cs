using System.Net;
using System.Threading.Channels;
using Microsoft.AspNetCore.Connections;

namespace Graceful.Kestrel;

/// <summary>
/// One endpoint of Kestrel's that is served from several sockets, or from none. Whoever waits here for Kestrel has been let in by his own listener,
/// so that the way out knows of him.
/// </summary>
/// <param name="configured">What it stands for.</param>
/// <param name="unbound">Called when it is not served any more.</param>
internal sealed class SeveralListeners(EndPoint configured, Action unbound) : IConnectionListener
{
    private readonly Channel<ConnectionContext> _accepted = Channel.CreateUnbounded<ConnectionContext>(new() { SingleReader = true });
    private readonly List<(IConnectionListener Listener, Task Loop)> _listeners = [];
    private int _accepting;
    private Exception? _failure;

    public EndPoint Configured => configured;

    /// <summary>Of the first socket.</summary>
    public EndPoint EndPoint => EndPoints.FirstOrDefault(configured);

    public IEnumerable<EndPoint> EndPoints => All().Select(each => each.Listener.EndPoint);

    public void Add(IConnectionListener listener)
    {
        lock (_listeners)
        {
            _accepting++;
            _listeners.Add((listener, AcceptFromAsync(listener)));
        }
    }

    public async ValueTask<ConnectionContext?> AcceptAsync(CancellationToken cancellationToken = default)
    {
        while (await _accepted.Reader.WaitToReadAsync(cancellationToken).ConfigureAwait(false))
        {
            if (_accepted.Reader.TryRead(out var connection))
            {
                return connection;
            }
        }

        return null;
    }

    public async ValueTask UnbindAsync(CancellationToken cancellationToken = default)
    {
        foreach (var (listener, loop) in All())
        {
            await listener.UnbindAsync(cancellationToken).ConfigureAwait(false);
            await loop.ConfigureAwait(false);
        }

        _accepted.Writer.TryComplete();
        unbound();
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var (listener, _) in All())
        {
            await listener.DisposeAsync().ConfigureAwait(false);
        }

        while (_accepted.Reader.TryRead(out var connection))
        {
            await RefuseAsync(connection).ConfigureAwait(false);
        }
    }

    private static ValueTask RefuseAsync(ConnectionContext connection)
    {
        connection.Abort();
        return connection.DisposeAsync();
    }

    private (IConnectionListener Listener, Task Loop)[] All()
    {
        lock (_listeners)
        {
            return [.. _listeners];
        }
    }

    private async Task AcceptFromAsync(IConnectionListener listener)
    {
        try
        {
            while (await listener.AcceptAsync().ConfigureAwait(false) is { } connection)
            {
                if (!_accepted.Writer.TryWrite(connection))
                {
                    await RefuseAsync(connection).ConfigureAwait(false);
                }
            }

            Ended(null);
        }
#pragma warning disable CA1031 // Kestrel's own loop ends with it, and says so.
        catch (Exception e)
#pragma warning restore CA1031
        {
            Ended(e);
        }
    }

    /// <summary>Kestrel goes on with the other sockets, and hears of a failure when there is none left.</summary>
    private void Ended(Exception? failure)
    {
        lock (_listeners)
        {
            _failure ??= failure;
            if (--_accepting == 0 && _failure is not null)
            {
                _accepted.Writer.TryComplete(_failure);
            }
        }
    }
}
