using System.ComponentModel;
using System.Runtime.InteropServices;

namespace Graceful.Posix;

/// <summary>File descriptors of this process, by their numbers. Linux only.</summary>
internal static partial class Descriptor
{
    /// <summary>Standard input, output and error are below it.</summary>
    public const int FirstFree = 3;

    private const int GetFlags = 1;
    private const int SetFlags = 2;
    private const int DuplicateCloseOnExec = 1030;
    private const int CloseOnExec = 1;
    private const int OpenCloseOnExec = 0x80000;

    private const string Folder = "/proc/self/fd";

    /// <summary>Whether it survives an exec; null when it is not open.</summary>
    public static bool? IsInherited(int descriptor) => Control(descriptor, GetFlags, 0) switch
    {
        < 0 => null,
        var flags => (flags & CloseOnExec) == 0,
    };

    /// <summary>Keeps it from children.</summary>
    /// <exception cref="Win32Exception">It is not open.</exception>
    public static void KeepFromChildren(int descriptor) => Check(Control(descriptor, SetFlags, CloseOnExec));

    /// <summary>Another descriptor of the same thing, not one of the first three, and kept from children.</summary>
    /// <exception cref="Win32Exception">It is not open, or there are too many.</exception>
    public static int Duplicate(int descriptor) => Check(Control(descriptor, DuplicateCloseOnExec, FirstFree));

    /// <summary>Makes a number a descriptor of something else; what it was is closed.</summary>
    /// <exception cref="Win32Exception">One is not open.</exception>
    public static void Replace(int descriptor, int by) => Check(Duplicate3(by, descriptor, descriptor < FirstFree ? 0 : OpenCloseOnExec));

    /// <summary>What it is, as the kernel says it, <c>socket:[4711]</c> for instance, which is the same for all descriptors of one socket; null when it is not open.</summary>
    public static string? Target(int descriptor)
    {
        try
        {
            return new FileInfo($"{Folder}/{descriptor}").LinkTarget;
        }
        catch (IOException)
        {
            return null;
        }
    }

    /// <summary>Every descriptor of this process that is open.</summary>
    public static IEnumerable<int> All() => Directory.EnumerateFileSystemEntries(Folder).Select(path => int.Parse(Path.GetFileName(path), null)).ToList();

    private static int Check(int result) => result >= 0 ? result : throw new Win32Exception(Marshal.GetLastPInvokeError());

    [LibraryImport("libc", EntryPoint = "fcntl", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int Control(int descriptor, int command, int argument);

    [LibraryImport("libc", EntryPoint = "dup3", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int Duplicate3(int from, int to, int flags);
}
