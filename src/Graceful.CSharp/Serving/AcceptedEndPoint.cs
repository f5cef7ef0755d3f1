using System.Net;

namespace Graceful.Serving;

/// <summary>One connection in the place of an address to listen at.</summary>
internal sealed class AcceptedEndPoint(AcceptedConnection connection) : EndPoint
{
    public AcceptedConnection Connection => connection;

    /// <summary>Where the client has connected to; a pair of Unix sockets has no address, and then it is this.</summary>
    public EndPoint Address => connection.LocalEndPoint is { } address && address.ToString() is { Length: > 0 } ? address : this;

    public override string ToString() => "the accepted connection";
}
