using System.Buffers;
using System.Globalization;
using System.IO.Pipelines;
using System.Text;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.WebUtilities;

namespace Graceful.FastCgi;

/// <summary>
/// The body of the response, and the head before it: kept until somebody flushes, and then written as records. Reused from request to request.
/// </summary>
internal sealed class ResponseWriter(FastCgiRequest request, FastCgiOutput output) : PipeWriter, IDisposable
{
    private const int Least = 4096;

    /// <summary>A buffer that grew beyond this is not kept for the next request.</summary>
    private const int MostKept = 1 << 16;

    private static readonly SearchValues<char> NameSigns = SearchValues.Create(
        "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz");

    private static readonly SearchValues<char> ValueSigns = SearchValues.Create(
        [.. Enumerable.Range(' ', '~' - ' ' + 1).Append('\t').Select(static code => (char)code)]);

    private readonly ArrayBufferWriter<byte> _head = new(256);
    private byte[] _content = [];
    private int _length;
    private long? _announced;
    private long _written;
    private bool _hasHead;
    private bool _isSilent;
    private bool _isCompleted;

    /// <summary>How much was announced and not written; 0 when that was all, or nothing was announced.</summary>
    public long Missing => _isSilent || _announced is null ? 0 : _announced.Value - _written;

    public override bool CanGetUnflushedBytes => true;

    public override long UnflushedBytes => _length;

    public void Clear()
    {
        _head.ResetWrittenCount();
        (_length, _announced, _written, _hasHead, _isSilent, _isCompleted) = (0, null, 0, false, false, false);
        if (_content.Length > MostKept)
        {
            Dispose();
        }
    }

    /// <summary>Makes the head; from here on it can't be changed.</summary>
    /// <exception cref="InvalidOperationException">A header is none; nothing was written.</exception>
    public void BeginHead(int status, string? reason, IHeaderDictionary headers, bool isEnd)
    {
        var bodiless = status is >= 100 and < 200 or StatusCodes.Status204NoContent or StatusCodes.Status205ResetContent or StatusCodes.Status304NotModified;
        var isHead = HttpMethods.IsHead(request.Method);
        var announced = headers.ContentLength;
        _head.ResetWrittenCount();
        Text("Status: ");
        Span<char> digits = stackalloc char[11];
        _ = status.TryFormat(digits, out var count, provider: CultureInfo.InvariantCulture);
        Text(digits[..count]);
        Text(" ");
        reason ??= ReasonPhrases.GetReasonPhrase(status);
        Text(Checked(reason, ValueSigns, "The reason phrase"));
        Text("\r\n");
        foreach (var (name, values) in headers)
        {
            // A Status would be taken for ours.
            if (values.Count == 0 || HeaderNames.IsHopByHop(name) || name.Equals("Status", StringComparison.OrdinalIgnoreCase))
            {
                continue;
            }

            _ = name.Length == 0 ? throw new InvalidOperationException("A header of the response has no name.") : Checked(name, NameSigns, "The name of a header");
            foreach (var value in values)
            {
                if (value is not null)
                {
                    Text(name);
                    Text(": ");
                    Text(Checked(value, ValueSigns, $"The header {name}"));
                    Text("\r\n");
                }
            }
        }

        if (isEnd && announced is null && !bodiless && !isHead)
        {
            Text("Content-Length: ");
            _ = _length.TryFormat(digits, out count, provider: CultureInfo.InvariantCulture);
            Text(digits[..count]);
            Text("\r\n");
        }

        Text("\r\n");
        _hasHead = true;
        _isSilent = bodiless || isHead;
        _announced = announced;
        if (_isSilent)
        {
            _length = 0;
        }
        else
        {
            MustFit();
        }
    }

    public override Memory<byte> GetMemory(int sizeHint = 0)
    {
        Reserve(sizeHint);
        return _content.AsMemory(_length);
    }

    public override Span<byte> GetSpan(int sizeHint = 0)
    {
        Reserve(sizeHint);
        return _content.AsSpan(_length);
    }

    public override void Advance(int bytes)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(bytes);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(bytes, _content.Length - _length);
        _written += bytes;
        if (_hasHead)
        {
            MustFit();
        }

        if (!_isSilent)
        {
            _length += bytes;
        }
    }

    public override ValueTask<FlushResult> FlushAsync(CancellationToken cancellationToken = default) => WriteAsync(default, cancellationToken);

    public override async ValueTask<FlushResult> WriteAsync(ReadOnlyMemory<byte> source, CancellationToken cancellationToken = default)
    {
        ObjectDisposedException.ThrowIf(_isCompleted, this);
        cancellationToken.ThrowIfCancellationRequested();
        if (!_hasHead)
        {
            await request.StartAsync(isEnd: false).ConfigureAwait(false);
        }

        _written += source.Length;
        MustFit();
        if (_isSilent)
        {
            source = default;
        }

        if (request.IsAborted || output.IsOver)
        {
            _length = 0;
            return new FlushResult(isCanceled: false, isCompleted: true);
        }

        var head = _head.WrittenMemory;
        var kept = _content.AsMemory(0, _length);
        _length = 0;
        if (head.IsEmpty || kept.IsEmpty)
        {
            await output.WriteAsync(RecordType.StandardOutput, request.Id, head.IsEmpty ? kept : head, source, cancellationToken).ConfigureAwait(false);
        }
        else
        {
            await output.WriteAsync(RecordType.StandardOutput, request.Id, head, kept, cancellationToken).ConfigureAwait(false);
            await output.WriteAsync(RecordType.StandardOutput, request.Id, default, source, cancellationToken).ConfigureAwait(false);
        }

        _head.ResetWrittenCount();
        return new FlushResult(isCanceled: false, isCompleted: output.IsOver);
    }

    /// <summary>Writes what is left, and the end of the request behind it.</summary>
    public ValueTask EndAsync(ReadOnlyMemory<byte> error, int applicationStatus, bool isLast)
    {
        _isCompleted = true;
        var content = request.IsAborted ? default : _content.AsMemory(0, _length);
        return output.EndAsync(request.Id, request.IsAborted ? default : _head.WrittenMemory, content, error, applicationStatus, isLast);
    }

    /// <summary>The body is complete; the request ends when its application does.</summary>
    public override async ValueTask CompleteAsync(Exception? exception = null)
    {
        if (!_isCompleted)
        {
            await FlushAsync().ConfigureAwait(false);
            _isCompleted = true;
        }
    }

    public override void Complete(Exception? exception = null) => _isCompleted = true;

    public override void CancelPendingFlush()
    {
    }

    public void Dispose()
    {
        if (_content.Length > 0)
        {
            ArrayPool<byte>.Shared.Return(_content);
            _content = [];
        }
    }

    private static string Checked(string text, SearchValues<char> allowed, string what) => text.AsSpan().ContainsAnyExcept(allowed)
        ? throw new InvalidOperationException($"{what} of the response has a character that no header may have: {Uri.EscapeDataString(text)}.")
        : text;

    private void Text(ReadOnlySpan<char> text) => _head.Advance(Encoding.ASCII.GetBytes(text, _head.GetSpan(text.Length)));

    private void MustFit()
    {
        if (_isSilent && _written > 0 && !HttpMethods.IsHead(request.Method))
        {
            throw new InvalidOperationException($"A response with the status {request.StatusCode} has no body, and {_written} bytes were written to it.");
        }

        if (!_isSilent && _announced is { } announced && _written > announced)
        {
            throw new InvalidOperationException($"The response has a Content-Length of {announced}, and {_written} bytes were written to it.");
        }
    }

    private void Reserve(int sizeHint)
    {
        ObjectDisposedException.ThrowIf(_isCompleted, this);
        ArgumentOutOfRangeException.ThrowIfNegative(sizeHint);
        if (_content.Length - _length < Math.Max(1, sizeHint))
        {
            var larger = ArrayPool<byte>.Shared.Rent((int)Math.Min(Array.MaxLength, Math.Max((long)Least, Math.Max(2L * _length, (long)_length + sizeHint))));
            _content.AsSpan(0, _length).CopyTo(larger);
            Dispose();
            _content = larger;
        }
    }
}
