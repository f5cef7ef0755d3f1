namespace Graceful.Tests.Conformance;

/// <summary>What can be done to a live server, or to the clock that it leaves by.</summary>
internal enum Act
{
    /// <summary>A client connects.</summary>
    Open,

    /// <summary>A whole request and its answer; the rest of one that was half sent; bytes and their echo after an upgrade.</summary>
    Request,

    /// <summary>A request that stays in the server's code until it is released.</summary>
    Slow,

    /// <summary>The slow request goes on.</summary>
    Release,

    /// <summary>Half of a request's head.</summary>
    Half,

    /// <summary>The client changes over to a protocol of its own.</summary>
    Upgrade,

    /// <summary>The client goes away.</summary>
    Close,

    /// <summary>A signal comes: the first one, or a further one.</summary>
    Signal,

    /// <summary>Time goes by until the limit of what the server waits for is over.</summary>
    Pass,

    /// <summary>Whoever is silent stays so until the server has ended the connection.</summary>
    SeeOut,
}
