using System.Net;
using System.Net.Sockets;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace Graceful.Kestrel;

/// <summary>What the configuration calls the endpoints that Kestrel binds: <c>Kestrel:Endpoints:NAME</c>. Those of code and of URLs have no names.</summary>
internal sealed class EndpointNames(KestrelServerOptions kestrel)
{
    private readonly List<(string Name, BindingAddress Address)> _endpoints =
    [
        .. kestrel.ConfigurationLoader?.Configuration.GetSection("Endpoints").GetChildren()
            .Select(endpoint => (endpoint.Key, Address: Parse(endpoint["Url"])))
            .Where(endpoint => endpoint.Address is not null)
            .Select(endpoint => (endpoint.Key, endpoint.Address!)) ?? [],
    ];

    public IEnumerable<string> All => _endpoints.Select(endpoint => endpoint.Name);

    public bool Has(string name) => All.Contains(name, StringComparer.OrdinalIgnoreCase);

    /// <summary>The names of what is bound at an address, in their order; none when it has none, several when they have one URL.</summary>
    public IReadOnlyList<string> At(EndPoint endpoint) => [.. _endpoints.Where(named => IsAt(named.Address, endpoint)).Select(named => named.Name)];

    private static BindingAddress? Parse(string? url)
    {
        try
        {
            return url is null ? null : BindingAddress.Parse(url);
        }
        catch (FormatException)
        {
            // Kestrel says so itself.
            return null;
        }
    }

    private static bool IsAt(BindingAddress address, EndPoint endpoint) => endpoint switch
    {
        UnixDomainSocketEndPoint unix => address.IsUnixPipe && address.UnixPipePath == unix.ToString(),
        IPEndPoint ip => !address.IsUnixPipe && address.Port == ip.Port && IsHostOf(address.Host, ip.Address),
        _ => false,
    };

    private static bool IsHostOf(string host, IPAddress address) =>
        host.Equals("localhost", StringComparison.OrdinalIgnoreCase) ? IPAddress.IsLoopback(address)
        : IPAddress.TryParse(host, out var literal) ? literal.Equals(address)
        : address.Equals(IPAddress.Any) || address.Equals(IPAddress.IPv6Any);
}
