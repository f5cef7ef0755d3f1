using System.Net;
using System.Net.Sockets;
using Graceful.Core;
using Graceful.Engine;
using Graceful.Sockets;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.Extensions.Logging.Abstractions;

namespace Graceful.Kestrel;

/// <summary>
/// Goes the whole way out once while the server starts: an engine, a listener and a connection of its own, and no network.
/// The runtime compiles what runs for the first time, and on the real way out that would be tens of milliseconds in which
/// clients and orchestrators wait.
/// </summary>
internal static class Rehearsal
{
    public static async Task RunAsync()
    {
        using var engine = new LifecycleEngine(new GracefulOptions { QuietPeriod = TimeSpan.Zero }, NullLogger.Instance);
        // Neither bound nor connected, and no TCP: what is asked of this socket has no effect.
        using var socket = OperatingSystem.IsLinux()
            ? new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified)
            : null;
        await using var listener = new TrackedListener(
            new Playhouse(), socket, borrowed: false, engine, new GracefulOptions(), NullLoggerFactory.Instance);
        engine.Add(listener);
        engine.StartedUp();
        await using (var connection = (await listener.AcceptAsync().ConfigureAwait(false))!)
        {
            var asked = new Asked();
            connection.Features.Set<IConnectionLifetimeNotificationFeature>(asked);
            _ = connection.Features;
            var end = listener.AcceptAsync();
            engine.Stop(Trigger.NewSignal(15));
            engine.Stop(Trigger.HostStopped);
            await end.ConfigureAwait(false);
            await asked.ToClose.ConfigureAwait(false);
        }

        var report = await engine.Exited.ConfigureAwait(false);
        _ = report.ToString();

        if (socket is not null)
        {
            AskTheKernel(socket);
        }
    }

    private static void AskTheKernel(Socket socket)
    {
        _ = TcpInfo.TryRead(socket, out _);
        try
        {
            IntakeStop.AttachFilter(socket);
        }
        catch (SocketException)
        {
            // Not privileged: then it will not be used either.
        }
    }

    /// <summary>Plays Kestrel's part in the end of a connection.</summary>
    private sealed class Asked : IConnectionLifetimeNotificationFeature
    {
        private readonly TaskCompletionSource _toClose = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public Task ToClose => _toClose.Task;

        public CancellationToken ConnectionClosedRequested { get; set; }

        public void RequestClose() => _toClose.TrySetResult();
    }

    /// <summary>A listener with one connection in it.</summary>
    private sealed class Playhouse : IConnectionListener
    {
        private readonly TaskCompletionSource<ConnectionContext?> _end = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private int _calls;

        public EndPoint EndPoint { get; } = new IPEndPoint(IPAddress.None, 0);

        /// <summary>One connection, then nobody until the last call, and nobody in that.</summary>
        public ValueTask<ConnectionContext?> AcceptAsync(CancellationToken cancellationToken = default) => ++_calls switch
        {
            1 => new(new DefaultConnectionContext("rehearsal")),
            2 => new(_end.Task.WaitAsync(cancellationToken)),
            _ => default,
        };

        public ValueTask UnbindAsync(CancellationToken cancellationToken = default)
        {
            _end.TrySetResult(null);
            return default;
        }

        public ValueTask DisposeAsync() => default;
    }
}
