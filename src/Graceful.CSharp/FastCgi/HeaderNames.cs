using System.Collections.Frozen;
using Names = Microsoft.Net.Http.Headers.HeaderNames;

namespace Graceful.FastCgi;

/// <summary>Names of headers, as CGI writes them and as HTTP does.</summary>
internal static class HeaderNames
{
    private const int MostOnStack = 128;

    private static readonly FrozenDictionary<string, string> Known = new[]
    {
        Names.Accept, Names.AcceptCharset, Names.AcceptEncoding, Names.AcceptLanguage, Names.AccessControlRequestHeaders, Names.AccessControlRequestMethod,
        Names.Authorization, Names.CacheControl, Names.ContentEncoding, Names.ContentLanguage, Names.ContentMD5, Names.Cookie, Names.CorrelationContext, Names.Date, Names.DNT,
        Names.ETag, Names.Expect, Names.Expires, Names.From, Names.GrpcAcceptEncoding, Names.GrpcEncoding, Names.GrpcTimeout, Names.Host, Names.IfMatch,
        Names.IfModifiedSince, Names.IfNoneMatch, Names.IfRange, Names.IfUnmodifiedSince, Names.LastModified, Names.MaxForwards, Names.Origin, Names.Pragma,
        Names.ProxyAuthorization, Names.Range, Names.Referer, Names.RequestId, Names.SecWebSocketKey, Names.SecWebSocketProtocol, Names.SecWebSocketVersion,
        Names.TraceParent, Names.TraceState, Names.Translate, Names.UpgradeInsecureRequests, Names.UserAgent, Names.Via, Names.Warning, Names.XRequestedWith,
        "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-IP", "Sec-Fetch-Dest", "Sec-Fetch-Mode", "Sec-Fetch-Site", "Sec-Fetch-User",
        "Sec-CH-UA", "Sec-CH-UA-Mobile", "Sec-CH-UA-Platform", "Priority",
    }.ToFrozenDictionary(static name => name.Replace('-', '_').ToUpperInvariant(), StringComparer.Ordinal);

    private static readonly FrozenDictionary<string, string>.AlternateLookup<ReadOnlySpan<char>> KnownBySpan =
        Known.GetAlternateLookup<ReadOnlySpan<char>>();

    /// <summary>What concerns one connection only: the web server's to its client is not ours to it.</summary>
    private static readonly FrozenSet<string> HopByHop = new[]
    {
        Names.Connection, Names.KeepAlive, Names.ProxyConnection, Names.TE, Names.Trailer, Names.TransferEncoding, Names.Upgrade,
    }.ToFrozenSet(StringComparer.OrdinalIgnoreCase);

    public static bool IsHopByHop(string name) => HopByHop.Contains(name);

    /// <summary>The name that a variable stands for, after its HTTP_.</summary>
    /// <param name="name">Letters, digits and the other signs of a token.</param>
    public static string OfVariable(ReadOnlySpan<byte> name)
    {
        Span<char> text = name.Length <= MostOnStack ? stackalloc char[name.Length] : new char[name.Length];
        for (var index = 0; index < name.Length; index++)
        {
            text[index] = (char)name[index];
        }

        if (KnownBySpan.TryGetValue(text, out var known))
        {
            return known;
        }

        // X_MY_HEADER is X-My-Header: they are compared without regard to case, so it is for whoever lists them.
        var first = true;
        for (var index = 0; index < text.Length; index++)
        {
            if (text[index] == '_')
            {
                (text[index], first) = ('-', true);
            }
            else
            {
                text[index] = first ? char.ToUpperInvariant(text[index]) : char.ToLowerInvariant(text[index]);
                first = false;
            }
        }

        return new string(text);
    }
}
