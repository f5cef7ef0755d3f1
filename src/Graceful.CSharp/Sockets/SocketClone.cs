using System.Net.Sockets;
using System.Runtime.InteropServices;

namespace Graceful.Sockets;

/// <summary>A second descriptor of the same socket.</summary>
internal static partial class SocketClone
{
    private const int DuplicateFrom = 0;
    private const int DuplicateCloseOnExecOnLinux = 1030;
    private const int DuplicateCloseOnExecOnMac = 67;

    /// <param name="socket">The one that there is.</param>
    /// <param name="forChildren">Whether processes that are started while it is open get it too.</param>
    /// <exception cref="SocketException">The process has no descriptor left.</exception>
    /// <exception cref="ObjectDisposedException">The socket is closed.</exception>
    /// <exception cref="PlatformNotSupportedException">The system has no descriptors.</exception>
    public static SafeSocketHandle Of(Socket socket, bool forChildren)
    {
        if (OperatingSystem.IsWindows())
        {
            throw new PlatformNotSupportedException("A socket of Windows has no descriptor that could be cloned; allowed is Linux or macOS.");
        }

        var command = forChildren ? DuplicateFrom : OperatingSystem.IsMacOS() ? DuplicateCloseOnExecOnMac : DuplicateCloseOnExecOnLinux;
        var isHeld = false;
        try
        {
            socket.SafeHandle.DangerousAddRef(ref isHeld);
            var descriptor = Control((int)socket.SafeHandle.DangerousGetHandle(), command, 3);
            return descriptor >= 0
                ? new SafeSocketHandle(descriptor, ownsHandle: true)
                : throw new SocketException(Marshal.GetLastPInvokeError(), Marshal.GetLastPInvokeErrorMessage());
        }
        finally
        {
            if (isHeld)
            {
                socket.SafeHandle.DangerousRelease();
            }
        }
    }

    [LibraryImport("libc", EntryPoint = "fcntl", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int Control(int descriptor, int command, int least);
}
