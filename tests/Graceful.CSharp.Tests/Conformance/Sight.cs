namespace Graceful.Tests.Conformance;

/// <summary>What a client sees of a server; several where the model leaves it open.</summary>
[Flags]
internal enum Sight
{
    Nothing = 0,
    Connected = 1,
    Refused = 2,
    Answered = 4,

    /// <summary>Answered with <c>Connection: close</c>, and then the connection ended in order.</summary>
    AnsweredAndTold = 8,

    /// <summary>The server is at work on the request, and has said nothing.</summary>
    AtWork = 16,

    /// <summary>Half a request is under way, and the server has said nothing.</summary>
    Waiting = 32,
    Switched = 64,
    Echoed = 128,

    /// <summary>The server closed a connection that was silent for the quiet period; to half a request it may have said so.</summary>
    ClosedAsQuiet = 256,

    /// <summary>The connection was cut off without an answer, because the stop was forced.</summary>
    Aborted = 512,
    Left = 1024,

    /// <summary>Anything else, for instance half an answer. No model allows it.</summary>
    Broken = 2048,
}
