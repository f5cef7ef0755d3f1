namespace Graceful.Probe;

// What one client saw become of one request, or of one attempt to send it.
internal enum Outcome
{
    Ok,
    OtherStatus,

    // The handshake never completed, so the client knows that nothing was begun and may try elsewhere.
    Refused,
    ConnectTimeout,

    // A kept connection that was already closed when the client looked at it, before it sent a byte.
    ClosedIdle,

    // Sent and then cut off without one byte of an answer: the client cannot know whether the work was done.
    LostNew,
    LostReused,

    Truncated,
    Malformed,
    Unanswered,

    // WebSocket: the message and the server's Close in good order met on the wire.
    Crossed,

    // HTTP/2: the server said that it did nothing for the stream, by GOAWAY or REFUSED_STREAM.
    Unprocessed,
}
