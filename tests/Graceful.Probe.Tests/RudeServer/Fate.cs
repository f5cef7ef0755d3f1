namespace Graceful.Probe.RudeServer;

// What became of a request that the server has read to its end, in the words of the probe's report.
internal enum Fate
{
    Ok,
    OtherStatus,
    Lost,
    Truncated,
    Malformed,
    Unanswered,

    // WebSocket: it met a Close on the wire.
    Crossed,

    // HTTP/2: the client was told that nothing was done for it.
    Unprocessed,
}
