using System.Net;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace Graceful.Kestrel;

/// <summary>
/// Which of the sockets that were given to this process serve which of the endpoints that Kestrel was configured with. Kestrel asks for one
/// endpoint after the other, in the order of its configuration, and once more when that has changed.
/// </summary>
internal sealed class GivenSockets(IReadOnlyList<ActivatedSocket> given, KestrelServerOptions kestrel)
{
    private readonly List<(EndPoint Endpoint, string? Name, List<ActivatedSocket> Sockets)> _served = [];

    private IEnumerable<ActivatedSocket> Left => given.Except(_served.SelectMany(served => served.Sockets));

    /// <summary>The sockets that serve an endpoint: none when another part of it is served already; null when it is bound as it is configured.</summary>
    /// <exception cref="IOException">Sockets and endpoints don't go together. (Anything else Kestrel would take for a missing half of localhost.)</exception>
    public IReadOnlyList<ActivatedSocket>? For(EndPoint endpoint)
    {
        // Read anew each time, because it may have changed.
        var names = new EndpointNames(kestrel);
        var (name, sockets) = given.Any(socket => names.Has(socket.Name)) ? ByName(names, endpoint) : (null, ByAddress(endpoint) ?? InOrder(endpoint));
        if (sockets is not null)
        {
            _served.Add((endpoint, name, sockets));
        }

        return sockets;
    }

    /// <summary>An endpoint is not bound any more; its sockets serve whoever is bound next.</summary>
    public void Release(EndPoint endpoint) => _served.RemoveAll(served => ReferenceEquals(served.Endpoint, endpoint));

    /// <summary>Everything is bound. What is left over serves the only endpoint as well.</summary>
    /// <exception cref="IOException">There are more sockets than endpoints, and more than one of these.</exception>
    public IReadOnlyList<ActivatedSocket> Rest()
    {
        var rest = Left.ToList();
        if (rest.Count > 0 && _served.Count(served => served.Sockets.Count > 0) != 1)
        {
            throw new IOException(
                $"No endpoint is configured for {Listed(rest)} of the {given.Count} sockets given to this process; allowed are as many sockets as endpoints, one endpoint for all, or sockets named as the endpoints Kestrel:Endpoints:NAME are.");
        }

        return rest;
    }

    private static string Listed(IEnumerable<ActivatedSocket> sockets) => string.Join(", ", sockets);

    private (string? Name, List<ActivatedSocket>? Sockets) ByName(EndpointNames names, EndPoint endpoint)
    {
        if (given.FirstOrDefault(socket => !names.Has(socket.Name)) is { } stranger)
        {
            throw new IOException(
                $"The socket {stranger}, given to this process, has the name of no endpoint; allowed are {string.Join(", ", names.All)}, or no such name for any socket.");
        }

        var here = names.At(endpoint);
        var named = here.Where(name => Namesakes(name).Any()).ToList();
        if (named.Count == 0)
        {
            return (null, null);
        }

        if (named.Count < here.Count)
        {
            throw new IOException(
                $"The endpoints {string.Join(" and ", here)} have one URL, and of the sockets given to this process only {Listed(named.SelectMany(Namesakes))} have their names; allowed are URLs that differ, or sockets for each.");
        }

        // Those of one URL come in their order; after the last of them comes what else is bound for them, the other half of localhost.
        return named.Find(name => !_served.Exists(served => name == served.Name)) is { } next
            ? (next, [.. Namesakes(next).Intersect(Left)])
            : (null, []);
    }

    private IEnumerable<ActivatedSocket> Namesakes(string name) => given.Where(socket => name.Equals(socket.Name, StringComparison.OrdinalIgnoreCase));

    private List<ActivatedSocket>? ByAddress(EndPoint endpoint)
    {
        var same = given.Where(socket => endpoint.ToString() == socket.Socket.LocalEndPoint?.ToString()).ToList();
        return same.Count == 0 ? null
            : same.Find(socket => Left.Contains(socket)) is { } left ? [left]
            : throw new IOException(
                $"The socket {same[0]}, given to this process, has the address of an endpoint but serves another one that came before; allowed are sockets in the order of their endpoints, or named as the endpoints Kestrel:Endpoints:NAME are.");
    }

    private List<ActivatedSocket> InOrder(EndPoint endpoint)
    {
        if (IsOtherHalfOfLocalhost(endpoint))
        {
            return [];
        }

        return Left.FirstOrDefault() is { } next
            ? [next]
            : throw new IOException(
                $"No socket is left for the endpoint {endpoint}: given to this process were {Listed(given)}; allowed are as many sockets as endpoints, or sockets named as the endpoints Kestrel:Endpoints:NAME are, and the others are bound as they are configured.");
    }

    /// <summary>Kestrel binds localhost to both loopback addresses, first that of IPv4.</summary>
    private bool IsOtherHalfOfLocalhost(EndPoint endpoint) =>
        endpoint is IPEndPoint { Port: var port } second && second.Address.Equals(IPAddress.IPv6Loopback)
        && _served.Count > 0 && _served[^1].Endpoint is IPEndPoint first && first.Port == port && first.Address.Equals(IPAddress.Loopback);
}
