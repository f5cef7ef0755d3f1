using Graceful.Recording;

namespace Graceful.Replay;

/// <summary>
/// Reads a record line by line. A last line without its end is what a process leaves that was killed while it wrote, and
/// is passed over; any other line that can't be read is an error.
/// </summary>
internal sealed class RecordReader : IDisposable
{
    /// <summary>More than the largest record that a server writes.</summary>
    private const long MostBytes = (1L << 30) + (1L << 20);

    private readonly StreamReader _file;
    private readonly bool _endsInALine;

    public RecordReader(string path)
    {
        using (var bytes = File.OpenRead(path))
        {
            if (bytes.Length > MostBytes)
            {
                throw new UnreadableException($"it has {bytes.Length} bytes, more than any record.");
            }

            if (bytes.Length > 0)
            {
                bytes.Seek(-1, SeekOrigin.End);
            }

            _endsInALine = bytes.ReadByte() == '\n';
        }

        _file = new StreamReader(path);
        try
        {
            Header = Parse(_file.ReadLine() ?? throw new UnreadableException("it is empty."), HeaderLine.Parse);
        }
        catch
        {
            _file.Dispose();
            throw;
        }
    }

    public HeaderLine Header { get; }

    /// <summary>The line that was read last, counted from 1.</summary>
    public int LineNumber { get; private set; } = 1;

    /// <summary>What a reader should know of the file's end.</summary>
    public string? Remark { get; private set; }

    public IEnumerable<RecordLine> Lines()
    {
        while (_file.ReadLine() is { } text)
        {
            LineNumber++;
            if (_file.Peek() < 0 && !_endsInALine)
            {
                Remark = $"Line {LineNumber} has no end: the process was killed while it wrote it, and it is passed over.";
                LineNumber--;
                yield break;
            }

            yield return Parse(text, RecordLine.Parse);
        }
    }

    public void Dispose() => _file.Dispose();

    private T Parse<T>(string text, Func<string, T> parse)
    {
        try
        {
            return parse(text);
        }
        catch (FormatException e)
        {
            throw new UnreadableException($"line {LineNumber}: {e.Message}.");
        }
    }
}
