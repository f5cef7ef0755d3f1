namespace Graceful.Tests.Conformance;

/// <summary>How a client stands with the server, as far as the client knows.</summary>
internal enum Standing
{
    Absent,

    /// <summary>Connected, and nothing asked yet.</summary>
    Fresh,

    /// <summary>Half a request is sent.</summary>
    Half,

    /// <summary>Served before.</summary>
    Idle,

    /// <summary>Its request is in the server's code.</summary>
    Waiting,
    Upgraded,
    Gone,
}
