using System.Net.Sockets;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Graceful.Sockets;

/// <summary>
/// Opens Unix sockets that listen, and knows which files are theirs. A file that a killed process left is replaced; a socket that somebody
/// listens on, and a file that is no socket, are never touched.
/// </summary>
internal static partial class UnixListener
{
    /// <summary>What is there may go, and something else may come, while we look.</summary>
    private const int MostTries = 5;

    private const int AddressInUse = 98;

    private static readonly ConditionalWeakTable<Socket, SocketFile> Files = [];

    /// <summary>The path of a Unix socket's file; null when the socket is abstract and has none.</summary>
    public static string? PathOf(UnixDomainSocketEndPoint endpoint)
    {
        // As text an abstract name begins with an '@', as any relative path may.
        const int NameAt = 2;
        var address = endpoint.Serialize();
        return address.Size > NameAt && address[NameAt] != 0 ? Path.GetFullPath(endpoint.ToString()) : null;
    }

    /// <summary>Binds and listens.</summary>
    /// <param name="endpoint">A path, or an abstract name, which has no file and thus no permissions.</param>
    /// <param name="mode">The permissions of the file, which it has before anybody can connect; null for what the umask says.</param>
    /// <param name="backlog">How long the accept queue may be.</param>
    /// <returns>The socket. On Linux it leaves its file alone when it is disposed: that is ours to remove, see <see cref="FileOf"/>.</returns>
    /// <exception cref="SocketException">Somebody listens there: <see cref="SocketError.AddressAlreadyInUse"/>, with the path in its message.</exception>
    /// <exception cref="IOException">It can't listen there; the message has the path, and why not.</exception>
    public static Socket Open(UnixDomainSocketEndPoint endpoint, UnixFileMode? mode, int backlog)
    {
        var path = PathOf(endpoint);
        using var others = path is null ? null : FolderLock.Take(Path.GetDirectoryName(path)!);
        Socket? socket = null;
        try
        {
            socket = Bind(endpoint, path, mode);

            // Still under the lock: who finds a socket that does not listen takes it for one that was left.
            socket.Listen(backlog);
            return socket;
        }
        catch (Exception e)
        {
            if (socket is not null)
            {
                Close(socket);
            }

            throw e is SocketException { SocketErrorCode: not SocketError.AddressAlreadyInUse } or UnauthorizedAccessException
                ? new IOException($"Can't listen on '{endpoint}': {e.Message}", e)
                : e;
        }
    }

    /// <summary>The first half of opening one: it has its file and its permissions, and refuses whoever connects.</summary>
    internal static Socket Bind(UnixDomainSocketEndPoint endpoint, string? path, UnixFileMode? mode)
    {
        var socket = OperatingSystem.IsLinux() ? BindOnLinux(endpoint, path) : Bind(endpoint);
        try
        {
            if (path is not null)
            {
                if (SocketFile.At(path) is { } file)
                {
                    Files.Add(socket, file);
                }

                if (mode is { } permissions && !OperatingSystem.IsWindows())
                {
                    File.SetUnixFileMode(path, permissions);
                }
            }

            return socket;
        }
        catch
        {
            Close(socket);
            throw;
        }
    }

    /// <summary>Remembers the file that is at a socket's path now as the socket's, for one that we have not opened.</summary>
    public static void Remember(Socket socket)
    {
        if (socket.LocalEndPoint is UnixDomainSocketEndPoint endpoint && PathOf(endpoint) is { } path && SocketFile.At(path) is { IsSocket: true } file)
        {
            Files.TryAdd(socket, file);
        }
    }

    /// <summary>The file of a socket that we have opened, or were told to remember; null when it has none, or nobody knows.</summary>
    public static SocketFile? FileOf(Socket socket) => Files.TryGetValue(socket, out var file) ? file : null;

    /// <summary>Closes a socket. Its file goes with it, but never one that is somebody else's by now.</summary>
    public static void Close(Socket socket)
    {
        if (FileOf(socket) is not { } file)
        {
            socket.Dispose();
            return;
        }

        _ = file.Remove();
        if (SocketFile.At(file.Path) is null)
        {
            socket.Dispose();
        }
        else
        {
            // A successor's file. The runtime would remove whatever is at the path of a socket that it has bound; it does not when only
            // the descriptor is closed.
#pragma warning disable CA1816 // The finalizer would remove it as well.
            GC.SuppressFinalize(socket);
#pragma warning restore CA1816
            socket.SafeHandle.Dispose();
        }
    }

    /// <summary>Bound behind the runtime's back: a socket that it has bound removes on its disposal whatever is at the path then, a successor's file as well.</summary>
    private static Socket BindOnLinux(UnixDomainSocketEndPoint endpoint, string? path)
    {
        // Disposed at the end, it has never been bound as far as it knows, and the clone is what stays.
        using var unbound = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        var address = endpoint.Serialize();
        for (var tries = 1; BindNative((int)unbound.Handle, ref MemoryMarshal.GetReference(address.Buffer.Span), (uint)address.Size) != 0; tries++)
        {
            var error = Marshal.GetLastPInvokeError();
            if (error != AddressInUse)
            {
                throw new IOException($"Can't listen on '{endpoint}': {Marshal.GetPInvokeErrorMessage(error)}");
            }

            if (path is null || tries == MostTries)
            {
                throw InUse(endpoint);
            }

            if (SocketFile.At(path) is { } there)
            {
                Clear(there);
            }
        }

        return new Socket(SocketClone.Of(unbound, forChildren: false));
    }

    private static Socket Bind(UnixDomainSocketEndPoint endpoint)
    {
        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            socket.Bind(endpoint);
            return socket;
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    /// <exception cref="SocketException">Somebody listens there.</exception>
    /// <exception cref="IOException">It is no socket, or can't be removed.</exception>
    private static void Clear(SocketFile there)
    {
        if (!there.IsSocket)
        {
            throw new IOException($"Can't listen on '{there}': a file that is no socket is there, which is never removed; allowed is a path where nothing is, or a socket that nobody listens on.");
        }

        var endpoint = new UnixDomainSocketEndPoint(there.Path);
        if (IsAnswered(endpoint))
        {
            throw InUse(endpoint);
        }

        if (there.Remove() is { } why)
        {
            throw new IOException($"Can't listen on '{there}': a socket that nobody listens on is there and can't be removed: {why}");
        }
    }

    private static bool IsAnswered(UnixDomainSocketEndPoint endpoint)
    {
        // The kernel answers at once; a queue that is full is somebody's as well, and so is what we may not touch.
        using var probe = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified) { Blocking = false };
        try
        {
            probe.Connect(endpoint);
            return true;
        }
        catch (SocketException e)
        {
            return e.SocketErrorCode is not (SocketError.ConnectionRefused or SocketError.AddressNotAvailable);
        }
    }

    private static SocketException InUse(UnixDomainSocketEndPoint endpoint) =>
        new((int)SocketError.AddressAlreadyInUse, $"'{endpoint}' is in use: somebody listens there already.");

    [LibraryImport("libc", EntryPoint = "bind", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int BindNative(int descriptor, ref byte address, uint length);
}
