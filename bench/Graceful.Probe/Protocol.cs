namespace Graceful.Probe;

// What the clients speak.
internal enum Protocol
{
    Http1,
    Http2,
    FastCgi,
    WebSocket,
    Sse,
}
