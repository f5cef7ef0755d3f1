using Graceful.Core;
using Graceful.Engine;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace Graceful.Kestrel;

/// <summary>
/// How a request becomes a WebSocket, by an upgrade of its connection (HTTP/1.1) or of its stream (HTTP/2): as the server does it, but that what the
/// application speaks over passes by us. Whatever else is upgraded to is none of our business.
/// </summary>
internal sealed class WebSocketUpgrade : IHttpUpgradeFeature, IHttpExtendedConnectFeature
{
    private const string WebSocketProtocol = "websocket";

    private readonly KestrelConnection _connection;
    private readonly HttpContext _context;
    private readonly IHttpUpgradeFeature? _upgrade;
    private readonly IHttpExtendedConnectFeature? _connect;

    private WebSocketUpgrade(KestrelConnection connection, HttpContext context, IHttpUpgradeFeature? upgrade, IHttpExtendedConnectFeature? connect)
    {
        _connection = connection;
        _context = context;
        _upgrade = upgrade;
        _connect = connect;
    }

    public bool IsUpgradableRequest => _upgrade!.IsUpgradableRequest;

    public bool IsExtendedConnect => _connect!.IsExtendedConnect;

    public string? Protocol => _connect!.Protocol;

    /// <summary>Call for a request of HTTP/1.1 that asks for another protocol.</summary>
    public static void OfferUpgrade(KestrelConnection connection, HttpContext context)
    {
        if (context.Request.Headers.Upgrade.Any(IsWebSocket) && context.Features.Get<IHttpUpgradeFeature>() is { IsUpgradableRequest: true } upgrade)
        {
            context.Features.Set<IHttpUpgradeFeature>(new WebSocketUpgrade(connection, context, upgrade, connect: null));
        }
    }

    /// <summary>Call for a CONNECT of HTTP/2.</summary>
    public static void OfferConnect(KestrelConnection connection, HttpContext context)
    {
        if (context.Features.Get<IHttpExtendedConnectFeature>() is { IsExtendedConnect: true } connect && IsWebSocket(connect.Protocol))
        {
            context.Features.Set<IHttpExtendedConnectFeature>(new WebSocketUpgrade(connection, context, upgrade: null, connect));
        }
    }

    public async Task<Stream> UpgradeAsync() => Carry(await _upgrade!.UpgradeAsync().ConfigureAwait(false));

    public async ValueTask<Stream> AcceptAsync() => Carry(await _connect!.AcceptAsync().ConfigureAwait(false));

    private static bool IsWebSocket(string? protocol) => WebSocketProtocol.Equals(protocol, StringComparison.OrdinalIgnoreCase);

    private WebSocketStream Carry(Stream stream)
    {
        var webSocket = new WebSocketStream(stream, _connection, _context, WebSocketModule.isTold(HeldRequestFacts.SaidOf(_context)));
        _context.Features.Set(webSocket);
        _connection.Add(webSocket);
        return webSocket;
    }
}
