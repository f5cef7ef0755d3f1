using System.Net;
using System.Net.Sockets;
using Graceful.Posix;

namespace Graceful;

/// <summary>
/// One connection that somebody else has accepted for this process: inetd, or systemd with <c>Accept=yes</c>. A server serves it, and leaves by itself with
/// code 0 when it has ended.
/// </summary>
/// <remarks>
/// Serve it with <see cref="GracefulOptions.UseAcceptedConnection"/>, <see cref="GracefulServer.ServeAcceptedAsync"/>, or, with a protocol of your own, a <see cref="GracefulListener"/>. Where standard input is the connection,
/// standard output is too, and often standard error: whatever is written there would reach the client. So from the moment it is taken, by the first who asks for <see cref="Current"/>, these three are something
/// else: standard input is empty, standard output goes where standard error does, and to nowhere where that was the connection as well. A console log is then found
/// where standard error is, in the journal for instance. Ask before anything writes: first thing in <c>Main</c>.
/// </remarks>
public sealed class AcceptedConnection
{
    private static readonly Lazy<AcceptedConnection> OfThisProcess = new(Take);

    private readonly Socket _socket;
    private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int _taken;

    /// <summary>A connection that this process accepted itself, or has otherwise come by.</summary>
    /// <param name="socket">A connected stream socket, TCP or Unix; from now on it is this object's.</param>
    /// <exception cref="ArgumentNullException">The socket is null.</exception>
    /// <exception cref="ArgumentException">It is of another kind, listens, or is not connected.</exception>
    public AcceptedConnection(Socket socket)
    {
        ArgumentNullException.ThrowIfNull(socket);
        var what = socket.SocketType != SocketType.Stream ? $"is one of type {socket.SocketType}" : Misfit(socket);
        _socket = what is null ? socket : throw new ArgumentException($"The socket {what}; {Allowed}.", nameof(socket));
        LocalEndPoint = socket.LocalEndPoint;
        try
        {
            RemoteEndPoint = socket.RemoteEndPoint;
        }
        catch (SocketException)
        {
            // It was reset, and the kernel has forgotten by whom.
        }
    }

    /// <summary>Where the client is, also when it has gone; null where that is not known: Unix sockets often have no address.</summary>
    public EndPoint? RemoteEndPoint { get; }

    /// <summary>
    /// Whether the client may send further requests on it. The default is true; false is one request, and each response says <c>Connection: close</c>.
    /// Of a <see cref="GracefulListener"/> false is a connection that retires from the beginning: it is closed when it is marked idle. Set it before it is served.
    /// </summary>
    public bool KeepAlive { get; set; } = true;

    /// <summary>Completes when it was served and has ended.</summary>
    internal Task Ended => _ended.Task;

    /// <summary>Where the client has connected to; null when that is not known.</summary>
    internal EndPoint? LocalEndPoint { get; }

    private const string Allowed = "allowed is a connected stream socket, TCP or Unix, as inetd and Accept=yes give it";

    /// <summary>
    /// The connection that was given to this process: the one that LISTEN_FDS speaks of, or else standard input. The first who asks takes it, and all get the
    /// same one. Any thread.
    /// </summary>
    /// <exception cref="InvalidOperationException">There is none: sockets that listen were given, or standard input is something else. Or LISTEN_FDS and its like are wrong.</exception>
    /// <exception cref="PlatformNotSupportedException">This is not Linux.</exception>
    public static AcceptedConnection Current => OfThisProcess.Value;

    /// <summary>Takes a descriptor of this process.</summary>
    /// <param name="descriptor">Its number, 0 or more. From now on it is this object's; no other has to be closed for the connection to end.</param>
    /// <returns>The connection.</returns>
    /// <exception cref="ArgumentOutOfRangeException">It is negative.</exception>
    /// <exception cref="InvalidOperationException">It is not open, no connected stream socket, or one that listens.</exception>
    /// <exception cref="PlatformNotSupportedException">This is not Linux.</exception>
    public static AcceptedConnection FromDescriptor(int descriptor)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(descriptor);
        if (!OperatingSystem.IsLinux())
        {
            throw new PlatformNotSupportedException("A connection can be taken from its descriptor on Linux only; elsewhere give the socket.");
        }

        var given = SocketKind.Stream(descriptor, owned: false, out var what);
        what ??= Misfit(given!);
        if (what is not null)
        {
            var name = descriptor == 0 ? "Standard input" : $"The descriptor {descriptor}";
            throw new InvalidOperationException($"{name} {what}; {Allowed}.");
        }

        var own = descriptor < Descriptor.FirstFree ? Descriptor.Duplicate(descriptor) : descriptor;
        Descriptor.KeepFromChildren(own);
        return Of(own, SocketKind.Stream(own, owned: true, out _)!);
    }

    /// <summary>The connection, for the first who asks; null for all others, who may wait for its end.</summary>
    internal Socket? TryTake() => Interlocked.Exchange(ref _taken, 1) == 0 ? _socket : null;

    /// <summary>Closes it, unless somebody has taken it.</summary>
    internal void Close() => TryTake()?.Dispose();

    /// <summary>Whoever took it says so when it is over.</summary>
    internal void End() => _ended.TrySetResult();

    private static AcceptedConnection Take()
    {
        var activation = SocketActivation.Current;
        if (activation.Connection is { } connection)
        {
            return Of((int)connection.Handle, connection);
        }

        return activation.Sockets.Count == 0
            ? FromDescriptor(0)
            : throw new InvalidOperationException(
                $"This process was given sockets that listen: {string.Join(", ", activation.Sockets)}; {Allowed}. Without Accept=yes they are served with {nameof(GracefulOptions.UseSocketActivation)}().");
    }

    private static string? Misfit(Socket socket) =>
        SocketKind.Listens(socket) ? "listens" : SocketKind.IsOrWasConnected(socket) ? null : "is not connected";

    /// <summary>No other descriptor is the connection any more, so that nothing is written to the client that is not meant for it, and closing it is its end.</summary>
    private static AcceptedConnection Of(int own, Socket socket)
    {
        var connection = Descriptor.Target(own);
        using var nowhere = File.OpenHandle("/dev/null", FileMode.Open, FileAccess.ReadWrite);
        const int StandardError = 2;
        var output = Descriptor.Target(StandardError) is { } target && target != connection ? StandardError : (int)nowhere.DangerousGetHandle();
        foreach (var other in Descriptor.All().Where(other => other != own && Descriptor.Target(other) == connection))
        {
            // A console that was opened before has a descriptor of its own, so all are looked at and not only the first three.
            Descriptor.Replace(other, by: other == 0 ? (int)nowhere.DangerousGetHandle() : output);
        }

        return new AcceptedConnection(socket);
    }
}
