namespace Graceful.Probe;

internal enum ClientKind
{
    KeepAlive,
    Connect,
    Idle,
    Slow,
}
