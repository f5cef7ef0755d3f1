using System.Runtime.InteropServices;

namespace Graceful.Benchmarks;

/// <summary>The layout of a connection's cell, with nothing in it but the word.</summary>
[StructLayout(LayoutKind.Explicit, Size = 128)]
internal struct PaddedWord
{
    [FieldOffset(64)]
    public uint Word;
}
