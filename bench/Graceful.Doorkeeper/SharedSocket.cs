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

    private readonly DirectoryInfo? _folder;
    private readonly Socket _socket;

    /// <param name="unix">Whether it is a Unix socket with a file, or else one of TCP on the loopback address.</param>
    public SharedSocket(bool unix = false)
    {
        _folder = unix ? Directory.CreateTempSubdirectory("doorkeeper") : null;
        EndPoint = _folder is null ? new IPEndPoint(IPAddress.Loopback, 0) : new UnixDomainSocketEndPoint(Path.Combine(_folder.FullName, "socket"));
        _socket = new Socket(EndPoint.AddressFamily, SocketType.Stream, ProtocolType.Unspecified);
        _socket.Bind(EndPoint);
        _socket.Listen(4096);
        EndPoint = _socket.LocalEndPoint!;
        if (Control((int)_socket.Handle, SetFlags, 0) < 0)
        {
            throw new Win32Exception(Marshal.GetLastPInvokeError());
        }
    }

    public EndPoint EndPoint { get; }

    /// <summary>It waits until somebody comes, then is the server: the same process from beginning to end.</summary>
    public Process Start(IEnumerable<string> server)
    {
        // The protocol wants the socket as descriptor 3, and the number of the process that reads it: each becomes the next, so it stays the same. A session of its
        // own keeps it from what a terminal or timeout sends to us all.
        var socket = $"{_socket.Handle}";
        string[] shell = ["-c", $"exec 3<&{socket} {socket}<&-; LISTEN_PID=$$ LISTEN_FDS=1 exec setsid systemd-socket-activate \"$@\"", "sh"];
        return Process.Start(new ProcessStartInfo("bash", [.. shell, .. server]) { RedirectStandardOutput = true, RedirectStandardError = true })!;
    }

    public void Dispose()
    {
        _socket.Dispose();
        _folder?.Delete(recursive: true);
    }

    [LibraryImport("libc", EntryPoint = "fcntl", SetLastError = true)]
    private static partial int Control(int descriptor, int command, int argument);
}
