using System.Collections.Concurrent;
using System.Net.Sockets;

namespace Graceful;

/// <summary>A listening socket that the service manager opened, and goes on with when this process ends.</summary>
public sealed class ActivatedSocket
{
    /// <summary>As the kernel calls them, so that a clone, or whatever else is made of their descriptors, is known too.</summary>
    private static readonly ConcurrentDictionary<string, ActivatedSocket> Given = new(StringComparer.Ordinal);

    private readonly string _text;

    internal ActivatedSocket(string name, int descriptor, Socket socket)
    {
        Name = name;
        Descriptor = descriptor;
        Socket = socket;
        _text = $"{name} ({socket.LocalEndPoint})";
        if (Posix.Descriptor.Target(descriptor) is { } target)
        {
            Given[target] = this;
        }
    }

    /// <summary>
    /// What the service manager calls it: <c>FileDescriptorName=</c> of the socket unit, or the unit's name. Sockets of one unit share a name; <c>unknown</c> for one
    /// that was given none.
    /// </summary>
    public string Name { get; }

    /// <summary>The number of its descriptor, 3 or more.</summary>
    public int Descriptor { get; }

    /// <summary>
    /// The socket: it listens. Disposed, it accepts nobody here any more, and who waits in its queue goes on waiting: its descriptor stays open until the process
    /// ends. Nobody has to dispose it. Whoever serves from it, a <see cref="GracefulListener"/> or a <see cref="GracefulServer"/>, leaves it to the service manager: nothing
    /// is taken from its queue, nothing is done to it, and it stays open.
    /// </summary>
    public Socket Socket { get; }

    /// <summary>Its name and its address, also when it was disposed.</summary>
    /// <returns><c>web (127.0.0.1:8080)</c>, for instance.</returns>
    public override string ToString() => _text;

    /// <summary>Whether a socket is one of the service manager's, by whatever descriptor.</summary>
    internal static bool IsOf(Socket socket) =>
        !Given.IsEmpty && Posix.Descriptor.Target((int)socket.Handle) is { } target && Given.ContainsKey(target);
}
