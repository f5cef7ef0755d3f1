using Graceful.Reporting;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Graceful.FastCgi;

/// <summary>What the FastCGI endpoints of a host have in common: the application, and how much a web server may ask of it.</summary>
internal sealed class FastCgiServer(IOptions<GracefulOptions> options, ILoggerFactory loggers)
{
    private readonly ILogger _log = loggers.CreateLogger(Log.Category);
    private readonly List<ListenOptions> _endpoints = [];

    /// <summary>What answers; null before the server starts, and when that is not the one that we know.</summary>
    public Application? Application { get; set; }

    public IReadOnlyList<ListenOptions> Endpoints => _endpoints;

    /// <summary>URLs as Kestrel says them, which takes all its endpoints for HTTP.</summary>
    public IEnumerable<string> InTruth(IEnumerable<string> urls)
    {
        const string Http = "http:";
        var ours = _endpoints.Select(endpoint => endpoint.ToString()).ToHashSet();
        return urls.Select(url => ours.Contains(url) && url.StartsWith(Http, StringComparison.Ordinal) ? "fastcgi:" + url[Http.Length..] : url);
    }

    public void Use(ListenOptions endpoint)
    {
        _endpoints.Add(endpoint);
        // There is nothing to be chosen: what Kestrel knows is never reached.
        endpoint.Protocols = HttpProtocols.Http1;
        endpoint.Run(connection => ServeAsync(connection, endpoint.KestrelServerOptions));
    }

    private async Task ServeAsync(ConnectionContext transport, KestrelServerOptions kestrel)
    {
        using var connection = new FastCgiConnection(transport, Application!, kestrel, options.Value.FastCgi, _log);
        await connection.RunAsync().ConfigureAwait(false);
    }
}
