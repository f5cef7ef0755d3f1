using System.Runtime.InteropServices;

namespace Graceful.Tests.RawSockets;

/// <summary>How many descriptors this process may have.</summary>
internal static partial class ManyFiles
{
    private const int NumberOfFiles = 7;

    /// <summary>Asks for so many, and says how many there are.</summary>
    public static int Raise(int wanted)
    {
        _ = GetLimit(NumberOfFiles, out var limit);
        if (limit.Soft < (nuint)wanted)
        {
            // Beyond the hard limit it takes a privilege.
            var more = new Limit { Soft = (nuint)wanted, Hard = limit.Hard > (nuint)wanted ? limit.Hard : (nuint)wanted };
            if (SetLimit(NumberOfFiles, in more) == 0)
            {
                return wanted;
            }
        }

        return (int)Math.Min(limit.Soft, int.MaxValue);
    }

    [LibraryImport("libc", EntryPoint = "getrlimit", SetLastError = true)]
    private static partial int GetLimit(int which, out Limit limit);

    [LibraryImport("libc", EntryPoint = "setrlimit", SetLastError = true)]
    private static partial int SetLimit(int which, in Limit limit);

    private struct Limit
    {
        public nuint Soft;
        public nuint Hard;
    }
}
