using System.Runtime.InteropServices;

namespace Graceful.Posix;

/// <summary>The environment that native code sees and hands on: the runtime changes only a copy of its own. Linux only.</summary>
internal static partial class NativeEnvironment
{
    /// <summary>Harmless when it is not set. Like libc itself it may not meet a native thread that reads the environment, so do it early.</summary>
    [LibraryImport("libc", EntryPoint = "unsetenv", StringMarshalling = StringMarshalling.Utf8)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    public static partial int Unset(string name);
}
