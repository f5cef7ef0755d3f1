namespace Graceful.Probe.RudeServer;

// What the server does with a request that it has read to its end.
internal enum Act
{
    Answer,
    AnswerChunked,
    AnswerUntilClose,
    AnswerAndTellToClose,

    // Keeps quiet about it and closes a moment after the answer.
    AnswerThenFin,
    AnswerThenReset,

    Reset,
    Fin,
    TruncateLength,
    TruncateChunked,
    Garbage,
    Status503,
    Never,

    // A Close or GOAWAY and no answer; the late one when the request has long been read.
    TellToClose,
    TellToCloseLate,

    // WebSocket: a Close that says that something went wrong.
    CloseWithError,

    // FastCGI: END_REQUEST accepts nothing.
    Overloaded,

    // HTTP/2: only this stream; the other says that nothing was done for it.
    ResetStream,
    RefuseStream,

    // Ends in order with less than it announced.
    ShortBody,

    // Event streams: a beginning, and the end after a while.
    HoldLong,
    EndOfHold,
}
