using System.ComponentModel;
using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;

namespace Graceful.Doorkeeper;

/// <summary>A listening socket that stays open while one server after the other is started with it, each by a systemd-socket-activate of its own.</summary>
internal sealed partial class SharedSocket : IDisposable
{
    private const int SetFlags = 2;

    private readonly Socket _socket = new(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);

    public SharedSocket()
    {
        _socket.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        _socket.Listen(4096);
        if (Control((int)_socket.Handle, SetFlags, 0) < 0)
        {
            throw new Win32Exception(Marshal.GetLastPInvokeError());
        }
    }

    public IPEndPoint EndPoint => (IPEndPoint)_socket.LocalEndPoint!;

    /// <summary>It waits until somebody comes, then is the server: the same process from beginning to end.</summary>
    public Process Start(IEnumerable<string> server)
    {
        // The protocol wants the socket as descriptor 3, and the number of the process that reads it. Each becomes the next, so it stays the same.
        var socket = $"{_socket.Handle}";
        string[] shell = ["-c", $"exec 3<&{socket} {socket}<&-; LISTEN_PID=$$ LISTEN_FDS=1 exec systemd-socket-activate \"$@\"", "sh"];
        return Process.Start(new ProcessStartInfo("bash", [.. shell, .. server]) { RedirectStandardOutput = true, RedirectStandardError = true })!;
    }

    public void Dispose() => _socket.Dispose();

    [LibraryImport("libc", EntryPoint = "fcntl", SetLastError = true)]
    private static partial int Control(int descriptor, int command, int argument);
}
