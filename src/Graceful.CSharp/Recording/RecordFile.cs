using System.Buffers;
using System.Text.Json;

namespace Graceful.Recording;

/// <summary>
/// The file of a record, written by one thread. When nine tenths of its limit are full, the many lines of gate, connections
/// and requests are left out, so that the few of the lifecycle go on to the end.
/// </summary>
internal sealed class RecordFile : IDisposable
{
    /// <summary>Room for the lines that say what is left out.</summary>
    private const int LastWords = 512;

    private static readonly JsonWriterOptions Readable = new() { Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    private readonly FileStream _file;
    private readonly long _limit;
    private readonly ArrayBufferWriter<byte> _buffer = new();
    private long _size;
    private bool _detailsAreCut;

    private RecordFile(FileStream file, long limit)
    {
        _file = file;
        _limit = limit;
    }

    /// <summary>Whether its last line is written.</summary>
    public bool IsFull { get; private set; }

    /// <summary>Begins a record; one that is there already is kept beside it as <c>.old</c>.</summary>
    public static RecordFile Create(string path, long limit)
    {
        // Devices and pipes are empty, and links are left alone: only what somebody wrote is put aside.
        if (new FileInfo(path) is { Exists: true, LinkTarget: null, Length: > 0 })
        {
            File.Move(path, path + ".old", overwrite: true);
        }

        return new RecordFile(new FileStream(path, FileMode.Create, FileAccess.Write, FileShare.Read | FileShare.Delete), limit);
    }

    public void Begin(HeaderLine header)
    {
        Serialize(header.WriteTo);
        Append();
    }

    public void Write(RecordLine line)
    {
        if (IsFull || (_detailsAreCut && line.IsDetail))
        {
            return;
        }

        Serialize(line.WriteTo);
        if (_size + _buffer.WrittenCount <= (line.IsDetail ? _limit - (_limit / 10) : _limit) - LastWords)
        {
            _detailsAreCut |= line is CutLine { Everything: false };
            IsFull = line is CutLine { Everything: true };
            Append();
            return;
        }

        // There is always room for these two.
        Serialize(new CutLine(line.At, Everything: !line.IsDetail, $"the limit of {_limit} bytes is reached").WriteTo);
        _detailsAreCut = true;
        IsFull = !line.IsDetail;
        Append();
    }

    public void Flush() => _file.Flush();

    public void Dispose() => _file.Dispose();

    private void Serialize(Action<Utf8JsonWriter> write)
    {
        _buffer.ResetWrittenCount();
        using (var json = new Utf8JsonWriter(_buffer, Readable))
        {
            write(json);
        }

        _buffer.Write("\n"u8);
    }

    private void Append()
    {
        _size += _buffer.WrittenCount;
        _file.Write(_buffer.WrittenSpan);
    }
}
