using System.Runtime.InteropServices;

namespace Graceful.Sockets;

/// <summary>
/// What is at a path at one moment: a file is known by its device, its number and its birth, because a path may hold somebody else's a
/// moment later. Nobody else gets the number of a file as long as the socket that was bound to it is open, even when the file is gone. Linux
/// only; elsewhere nothing is ever known.
/// </summary>
internal sealed partial record SocketFile
{
    private const int CurrentFolder = -100;
    private const int DoNotFollowLinks = 0x100;
    private const uint TypeNumberAndBirth = 1 | 0x100 | 0x800;
    private const int ModeAt = 28;
    private const int NumberAt = 32;
    private const int BirthSecondsAt = 80;
    private const int BirthNanosecondsAt = 88;
    private const int DeviceAt = 136;
    private const int TypeMask = 0xF000;
    private const int TypeSocket = 0xC000;

    private SocketFile(string path, ReadOnlySpan<byte> status)
    {
        Path = path;
        IsSocket = (MemoryMarshal.Read<ushort>(status[ModeAt..]) & TypeMask) == TypeSocket;
        Identity = (
            MemoryMarshal.Read<ulong>(status[DeviceAt..]),
            MemoryMarshal.Read<ulong>(status[NumberAt..]),
            MemoryMarshal.Read<long>(status[BirthSecondsAt..]),
            MemoryMarshal.Read<uint>(status[BirthNanosecondsAt..]));
    }

    public string Path { get; }

    /// <summary>Whether it is a socket; a link to one is none.</summary>
    public bool IsSocket { get; }

    /// <summary>File systems that know no birth say zero.</summary>
    private (ulong Device, ulong Number, long BirthSeconds, uint BirthNanoseconds) Identity { get; }

    /// <summary>Whether it is still there, and nothing else in its place.</summary>
    public bool IsThere => At(Path) == this;

    /// <summary>What is there now, whoever put it there; null when there is nothing, or it can't be told.</summary>
    public static SocketFile? At(string path)
    {
        if (!OperatingSystem.IsLinux())
        {
            return null;
        }

        // struct statx is the same on every machine, unlike struct stat.
        Span<byte> status = stackalloc byte[256];
        try
        {
            return Statx(CurrentFolder, path, DoNotFollowLinks, TypeNumberAndBirth, ref MemoryMarshal.GetReference(status)) == 0
                ? new SocketFile(path, status)
                : null;
        }
        catch (EntryPointNotFoundException)
        {
            // A C library from before 2018.
            return null;
        }
    }

    /// <summary>Removes it, but nothing that is in its place by now. Never throws.</summary>
    /// <returns>Why it is still there; null when it is gone.</returns>
    /// <remarks>
    /// Nobody can ask the kernel to remove this file and no other. So it is taken aside first, under a name that nobody else knows, looked at
    /// there, and put back in the one case that somebody has come in between.
    /// </remarks>
    public string? Remove()
    {
        if (!IsThere)
        {
            return null;
        }

        var aside = $"{Path}.{Guid.NewGuid():N}";
        if (Rename(Path, aside) != 0)
        {
            return IsThere ? Marshal.GetPInvokeErrorMessage(Marshal.GetLastPInvokeError()) : null;
        }

        if (At(aside) is { } taken && taken.Identity != Identity)
        {
            // Where a third one is there already, the path is his, and this one is no longer reached by anybody.
            _ = Link(aside, Path);
        }

        _ = Unlink(aside);
        return null;
    }

    public override string ToString() => Path;

    [LibraryImport("libc", EntryPoint = "statx", StringMarshalling = StringMarshalling.Utf8)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int Statx(int folder, string path, int flags, uint mask, ref byte status);

    [LibraryImport("libc", EntryPoint = "rename", StringMarshalling = StringMarshalling.Utf8, SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int Rename(string from, string to);

    [LibraryImport("libc", EntryPoint = "link", StringMarshalling = StringMarshalling.Utf8)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int Link(string from, string to);

    [LibraryImport("libc", EntryPoint = "unlink", StringMarshalling = StringMarshalling.Utf8)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int Unlink(string path);
}
