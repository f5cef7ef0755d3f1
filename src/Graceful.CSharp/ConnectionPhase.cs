namespace Graceful;

/// <summary>What a connection is doing.</summary>
public enum ConnectionPhase
{
    /// <summary>Accepted, and no request yet; a TLS handshake may be under way.</summary>
    New,

    /// <summary>At least one request is in flight, or somebody works on a <see cref="GracefulConnection"/>.</summary>
    Active,

    /// <summary>Served before, and nothing in flight.</summary>
    Idle,

    /// <summary>Upgraded, to a WebSocket for instance: it speaks a protocol of its own until it ends.</summary>
    Hijacked,

    /// <summary>The server closed it, it is gone, or it was disowned.</summary>
    Closed,
}
