using System.Buffers.Binary;
using System.Globalization;
using System.Net;
using System.Text;

namespace Graceful.Tests.Support;

/// <summary>What a FastCGI request was answered with.</summary>
/// <param name="Head">The head as it came, the status and the headers.</param>
/// <param name="Body">What followed it.</param>
/// <param name="Error">What came for the web server's log.</param>
/// <param name="ApplicationStatus">0, or what a program would have exited with.</param>
/// <param name="ProtocolStatus">0 when it was served.</param>
internal sealed record FastCgiAnswer(string Head, byte[] Body, string Error, int ApplicationStatus, byte ProtocolStatus)
{
    public int Status => Header("Status") is { } status ? int.Parse(status.Split(' ')[0], CultureInfo.InvariantCulture) : 0;

    public string Text => Encoding.UTF8.GetString(Body);

    public string? Header(string name) => Array.Find(
        Head.Split("\r\n"), line => line.StartsWith(name + ": ", StringComparison.OrdinalIgnoreCase))?[(name.Length + 2)..];
}

/// <summary>One record.</summary>
internal sealed record FastCgiRecord(byte Type, int Id, byte[] Content);

/// <summary>A web server that speaks FastCGI record by record, and makes every mistake that it is asked to.</summary>
internal sealed class RawFastCgiClient : IDisposable
{
    public const byte Begin = 1;
    public const byte Abort = 2;
    public const byte End = 3;
    public const byte Params = 4;
    public const byte Stdin = 5;
    public const byte Stdout = 6;
    public const byte Stderr = 7;
    public const byte GetValues = 9;
    public const byte GetValuesResult = 10;
    public const byte UnknownType = 11;

    private readonly RawClient _raw;

    private RawFastCgiClient(RawClient raw) => _raw = raw;

    public RawClient Raw => _raw;

    public static async Task<RawFastCgiClient> ConnectAsync(int port) => new(await RawClient.ConnectAsync(port));

    public static async Task<RawFastCgiClient> ConnectAsync(EndPoint address) => new(await RawClient.ConnectAsync(address));

    public static byte[] Record(byte type, int id, ReadOnlySpan<byte> content, int padding = 0, byte version = 1) =>
    [
        version, type, (byte)(id >> 8), (byte)id, (byte)(content.Length >> 8), (byte)content.Length, (byte)padding, 0, .. content, .. new byte[padding],
    ];

    public static byte[] BeginRecord(int id = 1, bool keep = true, int role = 1) =>
        Record(Begin, id, [(byte)(role >> 8), (byte)role, keep ? (byte)1 : (byte)0, 0, 0, 0, 0, 0]);

    public static byte[] Pair(string name, string value, bool longLengths = false)
    {
        byte[] first = Encoding.UTF8.GetBytes(name), second = Encoding.UTF8.GetBytes(value);
        return [.. Length(first.Length, longLengths), .. Length(second.Length, longLengths), .. first, .. second];
    }

    public static byte[] Pairs(params (string Name, string Value)[] pairs) => [.. pairs.SelectMany(pair => Pair(pair.Name, pair.Value))];

    /// <summary>The variables of a request as nginx sends them.</summary>
    public static byte[] Variables(string method, string target, params (string Name, string Value)[] more)
    {
        var mark = target.IndexOf('?', StringComparison.Ordinal);
        var path = mark < 0 ? target : target[..mark];
        return
        [
            .. Pairs(
                ("QUERY_STRING", mark < 0 ? "" : target[(mark + 1)..]), ("REQUEST_METHOD", method), ("SCRIPT_NAME", path), ("REQUEST_URI", target), ("DOCUMENT_URI", path),
                ("DOCUMENT_ROOT", "/usr/share/nginx/html"), ("SERVER_PROTOCOL", "HTTP/1.1"), ("REQUEST_SCHEME", "http"), ("GATEWAY_INTERFACE", "CGI/1.1"),
                ("SERVER_SOFTWARE", "nginx/1.26.3"), ("REMOTE_ADDR", "192.0.2.7"), ("REMOTE_PORT", "40404"), ("SERVER_ADDR", "198.51.100.1"), ("SERVER_PORT", "8080"),
                ("SERVER_NAME", "localhost"), ("REDIRECT_STATUS", "200"), ("HTTP_HOST", "localhost:8080")),
            .. Pairs(more),
        ];
    }

    /// <summary>A whole request in one piece.</summary>
    public static byte[] Request(byte[] variables, int id = 1, bool keep = true, byte[]? body = null) =>
    [
        .. BeginRecord(id, keep), .. Record(Params, id, variables), .. Record(Params, id, []),
        .. body is null ? [] : Record(Stdin, id, body), .. Record(Stdin, id, []),
    ];

    public Task SendAsync(ReadOnlyMemory<byte> bytes) => _raw.SendAsync(bytes);

    public Task SendGetAsync(string target, bool keep = true, int id = 1) => SendAsync(Request(Variables("GET", target, ("CONTENT_LENGTH", "")), id, keep));

    public async Task<FastCgiAnswer> GetAsync(string target, bool keep = true)
    {
        await SendGetAsync(target, keep);
        return await ReadAsync();
    }

    public async Task<FastCgiRecord> ReadRecordAsync()
    {
        var head = await _raw.ReadBytesAsync(8);
        Assert.Equal(1, head[0]);
        var content = await _raw.ReadBytesAsync(BinaryPrimitives.ReadUInt16BigEndian(head.AsSpan(4)));
        await _raw.ReadBytesAsync(head[6]);
        return new FastCgiRecord(head[1], BinaryPrimitives.ReadUInt16BigEndian(head.AsSpan(2)), content);
    }

    /// <summary>All records up to the end of the request.</summary>
    public async Task<FastCgiAnswer> ReadAsync(int id = 1)
    {
        using var output = new MemoryStream();
        using var error = new MemoryStream();
        while (true)
        {
            var record = await ReadRecordAsync();
            Assert.Equal(id, record.Id);
            switch (record.Type)
            {
                case Stdout:
                    output.Write(record.Content);
                    break;
                case Stderr:
                    error.Write(record.Content);
                    break;
                case End:
                    var all = output.ToArray();
                    var end = all.AsSpan().IndexOf("\r\n\r\n"u8);
                    var errors = Encoding.UTF8.GetString(error.ToArray());
                    var status = BinaryPrimitives.ReadInt32BigEndian(record.Content);
                    return end < 0
                        ? new FastCgiAnswer("", all, errors, status, record.Content[4])
                        : new FastCgiAnswer(Encoding.Latin1.GetString(all, 0, end), all[(end + 4)..], errors, status, record.Content[4]);
                default:
                    Assert.Fail($"A record of type {record.Type} in the middle of a response.");
                    break;
            }
        }
    }

    public Task<Ending> EndAsync() => _raw.EndAsync();

    public void Dispose() => _raw.Dispose();

    private static byte[] Length(int length, bool isLong)
    {
        var bytes = new byte[4];
        BinaryPrimitives.WriteUInt32BigEndian(bytes, (uint)length | 0x80000000);
        return isLong || length > 127 ? bytes : [(byte)length];
    }
}
