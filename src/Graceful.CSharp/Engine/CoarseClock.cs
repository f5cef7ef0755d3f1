using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Graceful.Engine;

/// <summary>
/// What a request pays to say when it came or went: nanoseconds that only grow, as fine as the kernel's tick (1 to 16 ms). On Linux it asks the
/// clock of <see cref="Environment.TickCount64"/>, without the way there and its division, which cost as much again.
/// </summary>
internal static partial class CoarseClock
{
    private const int MonotonicCoarse = 6;
    private const long NanosecondsASecond = 1_000_000_000;
    private const long NanosecondsAMillisecond = 1_000_000;

    private static readonly bool _isLinux = OperatingSystem.IsLinux();

    public static unsafe long Now
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        [SkipLocalsInit]
        get
        {
            if (!_isLinux)
            {
                return Environment.TickCount64 * NanosecondsAMillisecond;
            }

            Time now;
            _ = GetTime(MonotonicCoarse, &now);
            return (now.Seconds * NanosecondsASecond) + now.Nanoseconds;
        }
    }

    /// <summary>How long ago a moment of this clock was.</summary>
    public static TimeSpan Since(long moment) => TimeSpan.FromTicks((Now - moment) / TimeSpan.NanosecondsPerTick);

    [LibraryImport("libc", EntryPoint = "clock_gettime")]
    [SuppressGCTransition]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static unsafe partial int GetTime(int clock, Time* now);

    /// <summary>A timespec, of two longs in C.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private readonly struct Time
    {
        public readonly nint Seconds;
        public readonly nint Nanoseconds;
    }
}
