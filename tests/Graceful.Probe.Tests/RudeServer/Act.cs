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
}
