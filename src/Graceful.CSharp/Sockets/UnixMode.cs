namespace Graceful.Sockets;

/// <summary>What the permissions of a Unix socket's file may be.</summary>
internal static class UnixMode
{
    private const UnixFileMode Most =
        UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute
        | UnixFileMode.GroupRead | UnixFileMode.GroupWrite | UnixFileMode.GroupExecute
        | UnixFileMode.OtherRead | UnixFileMode.OtherWrite | UnixFileMode.OtherExecute;

    /// <summary>What is wrong with it; null when nothing is.</summary>
    public static string? Error(UnixFileMode? mode) => mode switch
    {
        null => null,
        _ when OperatingSystem.IsWindows() => $"{nameof(GracefulOptions.UnixSocketMode)} is {mode}; allowed is null on Windows, which has no such permissions.",
        { } wanted when (wanted & ~Most) != 0 =>
            $"{nameof(GracefulOptions.UnixSocketMode)} is {(int)wanted}; allowed are permissions to read, write and execute for owner, group and others, or null.",
        _ => null,
    };
}
