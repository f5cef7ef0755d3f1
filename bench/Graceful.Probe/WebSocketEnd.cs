namespace Graceful.Probe;

// How a WebSocket ended.
internal enum WebSocketEnd
{
    // A Close that says normal (1000, or nothing), going away (1001) or service restart (1012), between two messages.
    Polite,

    // A Close that says anything else, or none at all: the client sees an error.
    Aborted,

    // Within a frame or a message.
    Inside,

    Malformed,
}
