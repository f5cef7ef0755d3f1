using System.Buffers;
using System.Buffers.Text;
using System.Net;
using System.Text;
using System.Text.Unicode;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Primitives;

namespace Graceful.FastCgi;

/// <summary>What the variables of a request say, in the words of ASP.NET Core. Reused from request to request.</summary>
internal sealed class RequestMap
{
    private const int MostRemembered = 64;
    private const int LongestRemembered = 256;

    private static readonly SearchValues<byte> TokenSigns = SearchValues.Create(
        "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"u8);

    /// <summary>Control characters but the tab, which has no meaning but is allowed in a header.</summary>
    private static readonly SearchValues<byte> ControlSigns = SearchValues.Create(
        [.. Enumerable.Range(0, 9).Concat(Enumerable.Range(10, 22)).Append(127).Select(static code => (byte)code)]);

    /// <summary>
    /// By their places, the short texts of the request before. A web server sends its variables in the same order, and most of them again.
    /// </summary>
    private readonly string?[] _before = new string?[MostRemembered];

    private int _place;
    private string? _requestUri;
    private string? _documentUri;
    private string? _scriptName;
    private string? _pathInfo;
    private string? _query;
    private string? _method;
    private string? _serverName;
    private string? _requestScheme;
    private bool _isHttps;
    private string? _contentTypeHeader;
    private string? _contentLengthHeader;

    public string Method { get; private set; } = "";

    public string Protocol { get; private set; } = "";

    public string Scheme { get; private set; } = "";

    public RequestTarget Target { get; private set; }

    /// <summary>The length of the body; null when only its end tells.</summary>
    public long? ContentLength { get; private set; }

    public IHeaderDictionary Headers { get; } = new HeaderDictionary();

    public IPAddress? RemoteAddress { get; private set; }

    public int RemotePort { get; private set; }

    public IPAddress? LocalAddress { get; private set; }

    public int LocalPort { get; private set; }

    /// <summary>Reads what the web server sent.</summary>
    /// <param name="pairs">All of it.</param>
    /// <param name="mostPairs">More are refused.</param>
    /// <param name="why">What is wrong; null when nothing is.</param>
    /// <returns>200, or the status that the request is refused with.</returns>
    public int Read(ReadOnlySpan<byte> pairs, int mostPairs, out string? why)
    {
        Clear();
        var reader = new NameValueReader(pairs);
        for (_place = 0; reader.Next(); _place++)
        {
            if (_place == mostPairs)
            {
                why = $"it has more than {mostPairs} variables";
                return StatusCodes.Status431RequestHeaderFieldsTooLarge;
            }

            if (reader.Name.StartsWith("HTTP_"u8) ? !TryAddHeader(reader.Name[5..], reader.Value) : !TryTake(reader.Name, reader.Value))
            {
                why = $"its variable {Encoding.Latin1.GetString(reader.Name.Length > 64 ? reader.Name[..64] : reader.Name)} is malformed or contradicts another";
                return StatusCodes.Status400BadRequest;
            }
        }

        why = reader.IsMalformed ? "its variables end before their last one does" : Conclude();
        return why is null ? StatusCodes.Status200OK : StatusCodes.Status400BadRequest;
    }

    private void Clear()
    {
        (_requestUri, _documentUri, _scriptName, _pathInfo, _query, _method, _serverName, _requestScheme) = (null, null, null, null, null, null, null, null);
        (_isHttps, _contentTypeHeader, _contentLengthHeader) = (false, null, null);
        (Protocol, ContentLength, RemoteAddress, RemotePort, LocalAddress, LocalPort) = (HttpProtocol.Http11, null, null, 0, null, 0);
        Headers.Clear();
    }

    /// <summary>The last one of a name counts, but where two that differ could be a trick there must not be two.</summary>
    private bool TryTake(ReadOnlySpan<byte> name, ReadOnlySpan<byte> value)
    {
        switch (name.Length)
        {
            case 5 when name.SequenceEqual("HTTPS"u8):
                _isHttps = Ascii.EqualsIgnoreCase(value, "on"u8) || value.SequenceEqual("1"u8);
                return true;
            case 9 when name.SequenceEqual("PATH_INFO"u8):
                return TryText(value, ref _pathInfo);
            case 11 when name.SequenceEqual("SCRIPT_NAME"u8):
                return TryText(value, ref _scriptName);
            case 11 when name.SequenceEqual("REQUEST_URI"u8):
                return TryText(value, ref _requestUri, isUnique: true);
            case 11 when name.SequenceEqual("REMOTE_ADDR"u8):
                RemoteAddress = AddressOf(value);
                return true;
            case 11 when name.SequenceEqual("REMOTE_PORT"u8):
                RemotePort = PortOf(value);
                return true;
            case 11 when name.SequenceEqual("SERVER_ADDR"u8):
                LocalAddress = AddressOf(value);
                return true;
            case 11 when name.SequenceEqual("SERVER_PORT"u8):
                LocalPort = PortOf(value);
                return true;
            case 11 when name.SequenceEqual("SERVER_NAME"u8):
                return TryText(value, ref _serverName);
            case 12 when name.SequenceEqual("QUERY_STRING"u8):
                return TryText(value, ref _query);
            case 12 when name.SequenceEqual("CONTENT_TYPE"u8):
                return TryText(value, ref _contentTypeHeader);
            case 12 when name.SequenceEqual("DOCUMENT_URI"u8):
                return TryText(value, ref _documentUri);
            case 14 when name.SequenceEqual("REQUEST_METHOD"u8):
                return value.Length > 0 && !value.ContainsAnyExcept(TokenSigns) && TryText(value, ref _method, isUnique: true);
            case 14 when name.SequenceEqual("CONTENT_LENGTH"u8):
                return TryText(value, ref _contentLengthHeader, isUnique: true);
            case 14 when name.SequenceEqual("REQUEST_SCHEME"u8):
                return TryText(value, ref _requestScheme);
            case 15 when name.SequenceEqual("SERVER_PROTOCOL"u8):
                return TryTakeProtocol(value);
            default:
                return true;
        }
    }

    private bool TryTakeProtocol(ReadOnlySpan<byte> value)
    {
        string? text = null;
        if (!TryText(value, ref text))
        {
            return false;
        }

        Protocol = text switch
        {
            "HTTP/1.1" => HttpProtocol.Http11,
            "HTTP/1.0" => HttpProtocol.Http10,
            "HTTP/2.0" or "HTTP/2" => HttpProtocol.Http2,
            "HTTP/3.0" or "HTTP/3" => HttpProtocol.Http3,
            _ => text!,
        };
        return Protocol.StartsWith("HTTP/", StringComparison.Ordinal);
    }

    private bool TryAddHeader(ReadOnlySpan<byte> name, ReadOnlySpan<byte> value)
    {
        string? text = null;
        if (name.IsEmpty || name.ContainsAnyExcept(TokenSigns) || !TryText(value, ref text))
        {
            return false;
        }

        // What frames the body is said by variables of their own.
        if (name.SequenceEqual("CONTENT_LENGTH"u8))
        {
            return true;
        }

        if (name.SequenceEqual("CONTENT_TYPE"u8))
        {
            _contentTypeHeader ??= text;
            return true;
        }

        var header = HeaderNames.OfVariable(name);
        if (HeaderNames.IsHopByHop(header))
        {
            return true;
        }

        if (!Headers.TryGetValue(header, out var values))
        {
            Headers[header] = text;
            return true;
        }

        if (ReferenceEquals(header, Microsoft.Net.Http.Headers.HeaderNames.Host))
        {
            return values == text;
        }

        Headers[header] = StringValues.Concat(values, text);
        return true;
    }

    private string? Conclude()
    {
        if (_method is null)
        {
            return "it has no REQUEST_METHOD";
        }

        if (!RequestTarget.TryFind(_requestUri, _documentUri, _scriptName, _pathInfo, _query, out var target))
        {
            return "neither its PATH_INFO, REQUEST_URI, DOCUMENT_URI nor SCRIPT_NAME is a path";
        }

        if (!string.IsNullOrEmpty(_contentLengthHeader))
        {
            if (!_contentLengthHeader.All(char.IsAsciiDigit) || !long.TryParse(_contentLengthHeader, out var length))
            {
                return "its CONTENT_LENGTH is no length";
            }

            ContentLength = length;
            Headers.ContentLength = length;
        }

        if (!string.IsNullOrEmpty(_contentTypeHeader))
        {
            Headers.ContentType = _contentTypeHeader;
        }

        Method = HttpMethods.GetCanonicalizedValue(_method);
        Target = target;
        Scheme = _isHttps || _requestScheme == "https" ? "https" : "http";
        if (Headers.Host.Count == 0 && !string.IsNullOrEmpty(_serverName))
        {
            Headers.Host = LocalPort is 0 or 80 && Scheme == "http" || LocalPort is 0 or 443 && Scheme == "https"
                ? _serverName
                : new HostString(_serverName, LocalPort).Value;
        }

        return null;
    }

    private bool TryText(ReadOnlySpan<byte> value, ref string? into, bool isUnique = false)
    {
        if (TextOf(value) is not { } text || (isUnique && into is not null && into != text))
        {
            return false;
        }

        into = text;
        return true;
    }

    /// <returns>Null when it is none.</returns>
    private string? TextOf(ReadOnlySpan<byte> value)
    {
        if (value.IsEmpty)
        {
            return "";
        }

        var isRemembered = _place < MostRemembered && value.Length <= LongestRemembered;
        if (isRemembered && _before[_place] is { } before && Ascii.Equals(value, before))
        {
            return before;
        }

        if (value.ContainsAny(ControlSigns) || !Utf8.IsValid(value))
        {
            return null;
        }

        var text = Encoding.UTF8.GetString(value);
        if (isRemembered)
        {
            _before[_place] = text;
        }

        return text;
    }

    private static IPAddress? AddressOf(ReadOnlySpan<byte> value) => IPAddress.TryParse(value, out var address) ? address : null;

    private static int PortOf(ReadOnlySpan<byte> value) =>
        Utf8Parser.TryParse(value, out ushort port, out var read) && read == value.Length ? port : 0;
}
