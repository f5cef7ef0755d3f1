using System.Buffers;
using System.Text;

namespace Graceful.FastCgi;

/// <summary>The variables of a request as the web server sent them, one after the other; they are kept as long as the request.</summary>
internal sealed class RequestVariables(int most) : IDisposable
{
    private const int Least = 2048;

    private byte[] _bytes = [];
    private int _length;

    public ReadOnlySpan<byte> Pairs => _bytes.AsSpan(0, _length);

    public void Clear() => _length = 0;

    /// <returns>False when it would be more than is allowed; then nothing is added.</returns>
    public bool TryAdd(in ReadOnlySequence<byte> piece)
    {
        var length = _length + (int)piece.Length;
        if (length > most)
        {
            return false;
        }

        if (length > _bytes.Length)
        {
            var larger = ArrayPool<byte>.Shared.Rent(Math.Max(Least, length));
            Pairs.CopyTo(larger);
            Return();
            _bytes = larger;
        }

        piece.CopyTo(_bytes.AsSpan(_length));
        _length = length;
        return true;
    }

    /// <summary>The last value of a name; null where there is none.</summary>
    public string? Find(string name)
    {
        string? found = null;
        var pairs = new NameValueReader(Pairs);
        while (pairs.Next())
        {
            if (pairs.Name.Length == name.Length && Ascii.Equals(pairs.Name, name))
            {
                found = Encoding.UTF8.GetString(pairs.Value);
            }
        }

        return found;
    }

    public void Dispose()
    {
        Return();
        _bytes = [];
        _length = 0;
    }

    private void Return()
    {
        if (_bytes.Length > 0)
        {
            ArrayPool<byte>.Shared.Return(_bytes);
        }
    }
}
