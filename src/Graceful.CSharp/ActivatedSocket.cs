using System.Net.Sockets;

namespace Graceful;

/// <summary>A listening socket that the service manager opened, and goes on with when this process ends.</summary>
public sealed class ActivatedSocket
{
    internal ActivatedSocket(string name, int descriptor, Socket socket)
    {
        Name = name;
        Descriptor = descriptor;
        Socket = socket;
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
    /// ends. Nobody has to dispose it.
    /// </summary>
    public Socket Socket { get; }

    /// <summary>Its name and its address.</summary>
    /// <returns><c>web (127.0.0.1:8080)</c>, for instance.</returns>
    public override string ToString() => $"{Name} ({Socket.LocalEndPoint})";
}
