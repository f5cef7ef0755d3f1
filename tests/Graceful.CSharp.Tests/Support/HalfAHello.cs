namespace Graceful.Tests.Support;

/// <summary>The beginning of a TLS handshake: a record that says it has 256 bytes, and the first 60 of them.</summary>
internal static class HalfAHello
{
    public static ReadOnlyMemory<byte> Bytes { get; } = (byte[])[0x16, 3, 1, 1, 0, 1, 0, 0, 252, 3, 3, .. Enumerable.Range(0, 54).Select(number => (byte)number)];
}
