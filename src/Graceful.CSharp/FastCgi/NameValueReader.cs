using System.Buffers.Binary;

namespace Graceful.FastCgi;

/// <summary>Goes through name-value pairs: a length of one or four bytes for each of the two, and then the two.</summary>
internal ref struct NameValueReader(ReadOnlySpan<byte> pairs)
{
    private ReadOnlySpan<byte> _rest = pairs;

    public ReadOnlySpan<byte> Name { get; private set; }

    public ReadOnlySpan<byte> Value { get; private set; }

    /// <summary>What follows is no pair: it says that it is longer than what is there.</summary>
    public bool IsMalformed { get; private set; }

    /// <returns>True when there is one more pair; false at the end, and when it is malformed.</returns>
    public bool Next()
    {
        if (IsMalformed || _rest.IsEmpty)
        {
            return false;
        }

        if (!TryReadLength(out var name) || !TryReadLength(out var value) || (long)name + value > _rest.Length)
        {
            IsMalformed = true;
            return false;
        }

        Name = _rest[..name];
        Value = _rest.Slice(name, value);
        _rest = _rest[(name + value)..];
        return true;
    }

    private bool TryReadLength(out int length)
    {
        length = 0;
        if (_rest.IsEmpty)
        {
            return false;
        }

        if (_rest[0] < 0x80)
        {
            length = _rest[0];
            _rest = _rest[1..];
            return true;
        }

        if (_rest.Length < sizeof(int))
        {
            return false;
        }

        length = BinaryPrimitives.ReadInt32BigEndian(_rest) & int.MaxValue;
        _rest = _rest[sizeof(int)..];
        return true;
    }
}
