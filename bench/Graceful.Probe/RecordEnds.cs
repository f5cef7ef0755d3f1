namespace Graceful.Probe;

// Where the records of an event stream end: at a blank line. Lines end with CR, LF or both.
internal sealed class RecordEnds
{
    private bool lineHasBytes;
    private bool lastWasReturn;

    public long Records { get; private set; }

    // Nothing has come since the last record's end.
    public bool BetweenRecords { get; private set; } = true;

    public void Reset()
    {
        lineHasBytes = false;
        lastWasReturn = false;
        Records = 0;
        BetweenRecords = true;
    }

    public void Feed(ReadOnlySpan<byte> data)
    {
        foreach (byte b in data)
        {
            if (b == '\n' && lastWasReturn)
            {
                lastWasReturn = false;
                continue;
            }
            lastWasReturn = b == '\r';
            if (b is not ((byte)'\n' or (byte)'\r'))
            {
                lineHasBytes = true;
                BetweenRecords = false;
                continue;
            }
            if (!lineHasBytes && !BetweenRecords)
            {
                Records++;
                BetweenRecords = true;
            }
            lineHasBytes = false;
        }
    }
}
