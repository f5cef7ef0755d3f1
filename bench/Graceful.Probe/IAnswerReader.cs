namespace Graceful.Probe;

// Reads one answer from whatever pieces it arrives in, and says how far it has come.
internal interface IAnswerReader
{
    int Status { get; }

    // Whether the connection may carry another request after this answer.
    bool KeepAlive { get; }

    bool ToldToClose { get; }

    // At least one byte has come.
    bool Begun { get; }

    // A stream whose beginning is here; its end may take as long as it likes.
    bool IsHeld { get; }

    bool IsComplete { get; }

    bool IsMalformed { get; }

    // Its end came in good order and too early: there is no more to wait for.
    bool IsTruncated { get; }

    void Reset();

    // Returns how many bytes belonged to this answer.
    int Feed(ReadOnlySpan<byte> data);

    // The peer has closed its side in good order.
    void End();
}
