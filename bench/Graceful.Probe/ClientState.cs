namespace Graceful.Probe;

internal enum ClientState
{
    NotStarted,
    Connecting,
    Reading,

    // Between two requests: thinking, or backing off after a failure.
    Waiting,

    // One of the idle connections, its one request answered.
    Sitting,
    Done,
}
