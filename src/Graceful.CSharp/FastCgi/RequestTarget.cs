using Microsoft.AspNetCore.Http;

namespace Graceful.FastCgi;

/// <summary>What a request asks for, out of what web servers say of it.</summary>
/// <param name="Raw">As the client wrote it.</param>
/// <param name="PathBase">What of the path is the application's own place; empty, or it begins with a slash and does not end with one.</param>
/// <param name="Path">The rest of the path; empty, or it begins with a slash.</param>
/// <param name="Query">The query with its question mark; empty when there is none.</param>
internal readonly record struct RequestTarget(string Raw, string PathBase, string Path, string Query)
{
    /// <param name="requestUri">REQUEST_URI: as the client wrote it; null where the web server does not say.</param>
    /// <param name="documentUri">DOCUMENT_URI: its path, decoded and perhaps rewritten.</param>
    /// <param name="scriptName">SCRIPT_NAME: the program's path, decoded. nginx says the whole path here.</param>
    /// <param name="pathInfo">PATH_INFO: what follows that, decoded.</param>
    /// <param name="query">QUERY_STRING, without a question mark.</param>
    /// <param name="target">What it asks for.</param>
    /// <returns>False when it is none.</returns>
    /// <remarks>
    /// A PATH_INFO that is not empty is the path, and SCRIPT_NAME is its base. Without one the path is that of REQUEST_URI, decoded as Kestrel does; without that it
    /// is DOCUMENT_URI, or else SCRIPT_NAME; and there is no base.
    /// </remarks>
    public static bool TryFind(
        string? requestUri, string? documentUri, string? scriptName, string? pathInfo, string? query, out RequestTarget target)
    {
        target = default;
        var asWritten = string.IsNullOrEmpty(requestUri) ? null : OfOrigin(requestUri);
        var mark = asWritten?.IndexOf('?', StringComparison.Ordinal) ?? -1;
        var text = query ?? (mark < 0 ? "" : asWritten![(mark + 1)..]);
        text = text.Length == 0 ? "" : "?" + text;
        if (!string.IsNullOrEmpty(pathInfo))
        {
            var place = (scriptName ?? "").TrimEnd('/');
            target = new RequestTarget(requestUri ?? place + pathInfo + text, place, WithoutDots(pathInfo), text);
        }
        else if (asWritten is not null)
        {
            var path = mark < 0 ? asWritten : asWritten[..mark];
            if (path == "*")
            {
                target = new RequestTarget(requestUri!, "", "", text);
                return true;
            }

            // A null, which no path has, is the one thing that can't be decoded.
            if (path is not ['/', ..] || path.Contains("%00", StringComparison.Ordinal))
            {
                return false;
            }

            target = new RequestTarget(requestUri!, "", WithoutDots(PathString.FromUriComponent(path).Value!), text);
        }
        else
        {
            var path = string.IsNullOrEmpty(documentUri) ? scriptName ?? "" : documentUri;
            target = new RequestTarget(path + text, "", WithoutDots(path), text);
        }

        return target.Path is ['/', ..] && target.PathBase is "" or ['/', ..];
    }

    /// <summary>Of <c>http://host/path</c>, which a client may write too, the path.</summary>
    private static string OfOrigin(string uri)
    {
        if (uri is ['/', ..])
        {
            return uri;
        }

        var authority = uri.IndexOf("://", StringComparison.Ordinal);
        if (authority < 0)
        {
            return uri;
        }

        var end = uri.AsSpan(authority + 3).IndexOfAny('/', '?');
        var rest = end < 0 ? "" : uri[(authority + 3 + end)..];
        return rest is ['/', ..] ? rest : "/" + rest;
    }

    /// <summary>A path without <c>.</c> and <c>..</c>, which never leads out of the root.</summary>
    private static string WithoutDots(string path)
    {
        if (!path.Contains("/.", StringComparison.Ordinal))
        {
            return path;
        }

        var segments = path.Split('/');
        var kept = new List<string>(segments.Length);
        for (var index = 1; index < segments.Length; index++)
        {
            if (segments[index] == ".." && kept.Count > 0)
            {
                kept.RemoveAt(kept.Count - 1);
            }

            if (segments[index] is not ("." or ".."))
            {
                kept.Add(segments[index]);
            }
            else if (index == segments.Length - 1)
            {
                kept.Add("");
            }
        }

        return "/" + string.Join('/', kept);
    }
}
