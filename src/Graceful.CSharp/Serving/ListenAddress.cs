using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace Graceful.Serving;

/// <summary>
/// Where to listen, as people write it: <c>:7000</c>, <c>[::1]:80</c>, <c>localhost:80</c>, <c>unix:/run/x.sock</c>; and with FastCGI
/// <c>/run/x.sock</c>, <c>fastcgi://127.0.0.1:9000</c>.
/// </summary>
internal sealed class ListenAddress
{
    private const string Allowed =
        "allowed are ':7000' for all interfaces, '127.0.0.1:7000', '[::1]:7000', 'localhost:7000', 'name:7000', 'unix:/run/server.sock' "
        + "and '@name' for an abstract socket; with FastCGI '/run/server.sock', './server.sock', 'fastcgi:@name' and 'fastcgi://127.0.0.1:9000'; a port is a number from 0, which means any free one, to 65535, 'http' or 'https'";

    private readonly string _text;
    private readonly string _host;
    private readonly int _port;
    private readonly UnixDomainSocketEndPoint? _socket;

    private ListenAddress(string text, string host, int port, bool isFastCgi)
    {
        IsFastCgi = isFastCgi;
        _text = text;
        _host = host;
        _port = port;
    }

    private ListenAddress(string text, string path, bool isFastCgi)
    {
        IsFastCgi = isFastCgi;
        _text = text;
        _host = "";
        try
        {
            _socket = new UnixDomainSocketEndPoint(path.StartsWith('@') ? "\0" + path[1..] : System.IO.Path.GetFullPath(path));
        }
        catch (ArgumentException e)
        {
            throw Bad(text, $"is no path of a socket ({e.Message.Split(" (Parameter")[0].TrimEnd('.')})");
        }

        Path = path.StartsWith('@') ? null : System.IO.Path.GetFullPath(path);
    }

    /// <summary>Whether what connects there is a web server that speaks FastCGI.</summary>
    public bool IsFastCgi { get; }

    /// <summary>The file of a Unix socket; null where there is none.</summary>
    public string? Path { get; }

    /// <exception cref="ArgumentNullException">The text is null.</exception>
    /// <exception cref="FormatException">The text is no address; the message says what is wrong and what is allowed.</exception>
    public static ListenAddress Parse(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        const string FastCgi = "fastcgi:";
        if (!text.StartsWith(FastCgi, StringComparison.OrdinalIgnoreCase))
        {
            return Parse(text, text, isFastCgi: text is ['/' or '.', ..]);
        }

        var rest = text[FastCgi.Length..];
        if (rest.StartsWith("//", StringComparison.Ordinal))
        {
            return Parse(text, rest[2..], isFastCgi: true);
        }

        return rest.Length > 0 && rest.All(char.IsAsciiLetterOrDigit)
            ? throw Bad(text, $"may be a port for FastCGI, 'fastcgi://:{rest}', or HTTP at a host of that name, 'fastcgi.:{rest}'")
            : Parse(text, rest, isFastCgi: true);
    }

    private static ListenAddress Parse(string text, string place, bool isFastCgi)
    {
        const string Unix = "unix:";
        if (place.Contains("://", StringComparison.Ordinal))
        {
            throw Bad(text, "is a URL, not an address");
        }

        if (place.StartsWith(Unix, StringComparison.OrdinalIgnoreCase))
        {
            return place.Length == Unix.Length ? throw Bad(text, "has no path") : new ListenAddress(text, place[Unix.Length..], isFastCgi);
        }

        if (place is ['/' or '.' or '@', _, ..])
        {
            return new ListenAddress(text, place, isFastCgi);
        }

        var colon = place.LastIndexOf(':');
        if (colon < 0 || place.EndsWith(']'))
        {
            throw Bad(text, "has no port");
        }

        var port = place[(colon + 1)..] switch
        {
            "http" => 80,
            "https" => 443,
            var digits when int.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number <= IPEndPoint.MaxPort => number,
            var other => throw Bad(text, $"has the port '{other}'"),
        };
        return new ListenAddress(text, Host(text, place[..colon]), port, isFastCgi);
    }

    /// <summary>How Kestrel is told; a name is looked up, once, and its first IPv4 address is taken, or else its first.</summary>
    /// <exception cref="IOException">The name is not known here.</exception>
    public async Task<Action<KestrelServerOptions>> BindingAsync(Action<ListenOptions> configure)
    {
        if (_socket is not null)
        {
            return kestrel => kestrel.Listen(_socket, configure);
        }

        if (_host.Length == 0)
        {
            return kestrel => kestrel.ListenAnyIP(_port, configure);
        }

        if (_host.Equals("localhost", StringComparison.OrdinalIgnoreCase))
        {
            // Both loopback addresses; a free port that is free on both can't be asked for.
            return _port == 0
                ? kestrel => kestrel.Listen(IPAddress.Loopback, 0, configure)
                : kestrel => kestrel.ListenLocalhost(_port, configure);
        }

        var address = IPAddress.TryParse(_host, out var literal) ? literal : await ResolveAsync().ConfigureAwait(false);
        return kestrel => kestrel.Listen(address, _port, configure);
    }

    public override string ToString() => _text;

    private static string Host(string text, string host)
    {
        if (host is "" or "*")
        {
            return "";
        }

        if (host is ['[', .. var inner, ']'])
        {
            return IPAddress.TryParse(inner, out var six) && six.AddressFamily == AddressFamily.InterNetworkV6
                ? inner
                : throw Bad(text, $"has '{inner}' in brackets, which is no IPv6 address");
        }

        if (host.Contains(':', StringComparison.Ordinal))
        {
            throw Bad(text, "has too many colons; an IPv6 address is written in brackets");
        }

        // Four numbers, or a name whose last label is none: '1' and '127.1' are addresses to some, and surprises to others.
        var isIPv4 = IPAddress.TryParse(host, out var four) && four.ToString() == host;
        var isName = Uri.CheckHostName(host) == UriHostNameType.Dns && !char.IsAsciiDigit(host.TrimEnd('.').Split('.')[^1][0]);
        return isIPv4 || isName ? host : throw Bad(text, $"has the host '{host}', which is neither an IP address nor a name");
    }

    private static FormatException Bad(string text, string what) => new($"The address '{text}' {what}; {Allowed}.");

    private async Task<IPAddress> ResolveAsync()
    {
        try
        {
            var addresses = await Dns.GetHostAddressesAsync(_host).ConfigureAwait(false);
            return Array.Find(addresses, address => address.AddressFamily == AddressFamily.InterNetwork) ?? addresses[0];
        }
        catch (SocketException e)
        {
            throw new IOException($"Can't listen on '{_text}': the name '{_host}' is not known here: {e.Message}.", e);
        }
    }
}
