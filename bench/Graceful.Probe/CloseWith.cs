namespace Graceful.Probe;

// How a client ends a connection that is its own to end, after a complete answer.
internal enum CloseWith
{
    Fin,
    Reset,
}
