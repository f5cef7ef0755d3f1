using System.Globalization;
using System.Net.Http.Headers;

namespace Graceful.Probe;

// One request over HTTP/2 as the frames tell it. HttpClient's exceptions don't: the end of a connection overtakes an answer that had
// begun, and a request that was handed to a connection which has just ended is never sent.
internal sealed class Exchange(long number)
{
    // HttpClient does not say which stream a request became. It sends a header that it has no name for as plain text.
    private const string Header = "probe-exchange";

    private volatile Task<bool> sent = Task.FromResult(false);
    private volatile WatchedStream? connection;
    private volatile bool hasBegun;
    private volatile bool isMalformed;
    private volatile bool wasReset;
    private volatile bool wasResetOnReused;

    public long Number => number;

    // Something of an answer has come.
    public bool HasBegun
    {
        get => hasBegun;
        set => hasBegun = value;
    }

    // What came on its connection is not HTTP/2.
    public bool IsMalformed
    {
        get => isMalformed;
        set => isMalformed = value;
    }

    // The server ended the stream, and not the client because of what it read.
    public bool WasReset => wasReset;

    // The connection had already carried an answer to its end: before the stream was reset, or before the connection itself ended.
    public bool WasOnReused => wasReset ? wasResetOnReused : connection is { HasAnswered: true };

    // Whether it has left, when that is known; a request that the server declined has not left yet.
    public Task<bool> Sent => sent;

    // Once more when HttpClient repeats it.
    public void SendOn(WatchedStream connection, Task<bool> sent)
    {
        this.connection = connection;
        this.sent = sent;
    }

    public void Decline() => sent = Task.FromResult(false);

    public void Reset(bool onReused)
    {
        wasResetOnReused = onReused;
        wasReset = true;
    }

    public void Mark(HttpRequestHeaders headers) => headers.Add(Header, number.ToString(CultureInfo.InvariantCulture));

    // The number in the headers of a stream; null when it is none of ours.
    public static long? NumberIn(ReadOnlySpan<byte> headers)
    {
        int at = headers.LastIndexOf("probe-exchange"u8);
        if (at < 0)
        {
            return null;
        }
        ReadOnlySpan<byte> value = headers[(at + Header.Length)..];
        return long.Parse(value.Slice(1, value[0]), CultureInfo.InvariantCulture);
    }
}
