namespace Graceful.Tests.FastCgi.Outside;

/// <summary>Bytes whose sum tells when some are missing, doubled or something else.</summary>
internal static class Pattern
{
    public static byte[] Bytes { get; } = [.. Enumerable.Range(0, 1 << 16).Select(index => (byte)(index * 7 + (index >> 8)))];

    public static long Sum(int mib) => Bytes.Sum(b => (long)b) * (mib << 4);

    public static Stream Of(int mib) => new MemoryStream([.. Enumerable.Repeat(Bytes, mib << 4).SelectMany(bytes => bytes)]);
}
