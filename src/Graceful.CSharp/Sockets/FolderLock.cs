using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Graceful.Sockets;

/// <summary>
/// Keeps those who start at the same time from each other while they look at a path, clear it and bind there. The lock is one on the folder
/// itself (flock), so that no file is left behind and none can be stale: the kernel gives it back with its holder. Linux only.
/// </summary>
internal sealed partial class FolderLock : IDisposable
{
    /// <summary>A start holds it for less than a millisecond. Whoever holds it this long does something else, and is no reason not to start.</summary>
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(2);

    private static readonly TimeSpan Breath = TimeSpan.FromMilliseconds(5);

    private const int OpenCloseOnExec = 0x80000;
    private const int LockExclusive = 2;
    private const int LockDoNotWait = 4;

    private readonly SafeFileHandle _folder;

    private FolderLock(SafeFileHandle folder) => _folder = folder;

    /// <summary>Waits for the lock, two seconds at most, and goes on without it where it can't be had. Never throws.</summary>
    public static FolderLock Take(string folder)
    {
        var held = new FolderLock(new SafeFileHandle(OperatingSystem.IsLinux() ? Open(folder, OpenCloseOnExec) : -1, ownsHandle: true));
        if (!held._folder.IsInvalid)
        {
            var end = Environment.TickCount64 + (long)Limit.TotalMilliseconds;
            while (Lock((int)held._folder.DangerousGetHandle(), LockExclusive | LockDoNotWait) != 0 && Environment.TickCount64 < end)
            {
                Thread.Sleep(Breath);
            }
        }

        return held;
    }

    public void Dispose() => _folder.Dispose();

    [LibraryImport("libc", EntryPoint = "open", StringMarshalling = StringMarshalling.Utf8)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int Open(string path, int flags);

    [LibraryImport("libc", EntryPoint = "flock")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int Lock(int descriptor, int operation);
}
