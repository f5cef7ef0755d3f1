using System.Net.Sockets;
using System.Runtime.InteropServices;

namespace Graceful.Serving;

/// <summary>The file of a Unix socket that a process left behind when it was killed.</summary>
internal static partial class SocketFile
{
    private const int CurrentFolder = -100;
    private const int DoNotFollowLinks = 0x100;
    private const uint OnlyType = 1;
    private const int ModeAt = 28;
    private const int TypeMask = 0xF000;
    private const int TypeSocket = 0xC000;

    /// <summary>
    /// Removes the file if it is a socket that nobody listens on; whatever else is there stays, and the address is in use. Only on
    /// Linux can the one be told from the other.
    /// </summary>
    /// <exception cref="IOException">The socket is stale and can't be removed.</exception>
    public static void RemoveStale(string path)
    {
        if (!IsSocket(path) || IsAnswered(path))
        {
            return;
        }

        try
        {
            File.Delete(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new IOException($"Can't listen on '{path}': a socket that nobody listens on is there and can't be removed: {e.Message}", e);
        }
    }

    private static bool IsAnswered(string path)
    {
        // The kernel answers at once; a queue that is full is somebody's as well, and so is what we may not touch.
        using var probe = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified) { Blocking = false };
        try
        {
            probe.Connect(new UnixDomainSocketEndPoint(path));
            return true;
        }
        catch (SocketException e)
        {
            return e.SocketErrorCode != SocketError.ConnectionRefused;
        }
    }

    private static bool IsSocket(string path)
    {
        if (!OperatingSystem.IsLinux())
        {
            return false;
        }

        // struct statx is the same on every machine, unlike struct stat.
        Span<byte> status = stackalloc byte[256];
        try
        {
            return Statx(CurrentFolder, path, DoNotFollowLinks, OnlyType, ref MemoryMarshal.GetReference(status)) == 0
                && (MemoryMarshal.Read<ushort>(status[ModeAt..]) & TypeMask) == TypeSocket;
        }
        catch (EntryPointNotFoundException)
        {
            // A C library from before 2018.
            return false;
        }
    }

    [LibraryImport("libc", EntryPoint = "statx", StringMarshalling = StringMarshalling.Utf8)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int Statx(int folder, string path, int flags, uint mask, ref byte status);
}
