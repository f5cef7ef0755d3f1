using System.Net.Security;
using System.Threading.Channels;

namespace Graceful.Sockets;

/// <summary>
/// Stands between the accept queue and the user: connections come out of it authenticated. Handshakes run beside each other, so a slow
/// one holds up nobody.
/// </summary>
internal sealed class TlsDoor(IRawIntake intake, TlsTerms tls, TimeSpan limit, TimeProvider time) : IDisposable
{
    /// <summary>Who shakes hands or waits to be asked for; the others wait in the queue of the kernel.</summary>
    private const int MostAtTheDoor = 1024;

    private readonly Channel<GracefulConnection> _ready = Channel.CreateUnbounded<GracefulConnection>();
    private readonly SemaphoreSlim _places = new(MostAtTheDoor);
    private readonly Lock _starting = new();
    private Task? _pump;

    /// <inheritdoc cref="IRawIntake.AcceptAsync"/>
    public async ValueTask<GracefulConnection?> AcceptAsync(CancellationToken cancellationToken)
    {
        lock (_starting)
        {
            _pump ??= Task.Run(PumpAsync, CancellationToken.None);
        }

        while (await _ready.Reader.WaitToReadAsync(cancellationToken).ConfigureAwait(false))
        {
            if (_ready.Reader.TryRead(out var connection))
            {
                _places.Release();
                return connection;
            }
        }

        return null;
    }

    /// <summary>Resets whoever is authenticated and was not asked for, now or later.</summary>
    public void Dispose()
    {
        _ready.Writer.TryComplete();
        while (_ready.Reader.TryRead(out var connection))
        {
            _places.Release();
            connection.Raw.Apply(Core.ConnectionEvent.Abort);
        }
    }

    private async Task PumpAsync()
    {
        var handshakes = new List<Task>();
        try
        {
            while (true)
            {
                await _places.WaitAsync().ConfigureAwait(false);
                if (await intake.AcceptAsync(CancellationToken.None).ConfigureAwait(false) is not { } connection)
                {
                    break;
                }

                handshakes.RemoveAll(static handshake => handshake.IsCompleted);
                handshakes.Add(ShakeHandsAsync(connection));
            }

            await Task.WhenAll(handshakes).ConfigureAwait(false);
        }
        finally
        {
            _ready.Writer.TryComplete();
        }
    }

    private async Task ShakeHandsAsync(GracefulConnection connection)
    {
        using var over = new CancellationTokenSource(limit, time);
        var stream = new SslStream(connection.Plain, leaveInnerStreamOpen: false);
        try
        {
            await stream.AuthenticateAsServerAsync(tls.Now, over.Token).ConfigureAwait(false);
            connection.Use(stream);
            if (!_ready.Writer.TryWrite(connection))
            {
                // Nobody will ask for it any more.
                connection.Raw.Apply(Core.ConnectionEvent.Abort);
                _places.Release();
            }
        }
#pragma warning disable CA1031 // Whatever a client, or a callback of the user's, does to a handshake is the end of this connection only.
        catch (Exception)
#pragma warning restore CA1031
        {
            await stream.DisposeAsync().ConfigureAwait(false);
            await connection.DisposeAsync().ConfigureAwait(false);
            _places.Release();
        }
    }
}
