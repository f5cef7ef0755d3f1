using System.Net;

namespace Graceful.Kestrel;

/// <summary>One connection in the place of an address to listen at.</summary>
internal sealed class AcceptedEndPoint(AcceptedConnection connection) : EndPoint
{
    public AcceptedConnection Connection => connection;

    public override string ToString() => "the accepted connection";
}
