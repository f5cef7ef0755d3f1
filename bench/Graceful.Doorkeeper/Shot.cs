namespace Graceful.Doorkeeper;

/// <summary>What a client does at the moment that it aims at.</summary>
internal enum Shot
{
    /// <summary>Connects and sends its request at once.</summary>
    ConnectAndAsk,

    /// <summary>Connects, and sends its request a moment later.</summary>
    ConnectThenAsk,

    /// <summary>Sends its request on the connection that it has.</summary>
    AskAgain,
}
