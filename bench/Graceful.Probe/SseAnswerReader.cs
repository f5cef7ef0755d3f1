namespace Graceful.Probe;

// Reads one event stream over HTTP/1.1: complete when it ends as its framing says, between two records. A client that only looks
// in takes the first record for the whole answer, and leaves.
internal sealed class SseAnswerReader : IAnswerReader
{
    private readonly bool looksIn;
    private readonly RecordEnds records = new();
    private readonly AnswerReader answer;

    public SseAnswerReader(bool looksIn)
    {
        this.looksIn = looksIn;
        answer = new AnswerReader { Body = records };
    }

    public int Status => answer.Status;

    // The end of one stream is no beginning of another.
    public bool KeepAlive => false;

    public bool ToldToClose => answer.ToldToClose;

    public bool Begun => answer.Begun;

    public bool IsHeld => Status == 200 && !IsComplete;

    public bool IsComplete => (answer.IsComplete && !IsTruncated) || (looksIn && Status == 200 && records.Records > 0);

    public bool IsMalformed => answer.IsMalformed;

    public bool IsTruncated => answer.IsComplete && Status == 200 && !records.BetweenRecords;

    public void Reset()
    {
        answer.Reset();
        records.Reset();
    }

    public int Feed(ReadOnlySpan<byte> data) => answer.Feed(data);

    public void End() => answer.End();
}
