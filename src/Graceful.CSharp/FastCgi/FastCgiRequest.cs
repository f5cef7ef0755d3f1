using System.Buffers;
using System.Globalization;
using System.IO.Pipelines;
using System.Net;
using Graceful.Reporting;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace Graceful.FastCgi;

/// <summary>
/// The request that a connection serves, as ASP.NET Core's features: one object for all requests of the connection, which come one after the other.
/// </summary>
internal sealed class FastCgiRequest :
    IHttpRequestFeature,
    IHttpResponseFeature,
    IHttpResponseBodyFeature,
    IHttpRequestLifetimeFeature,
    IHttpRequestIdentifierFeature,
    IHttpConnectionFeature,
    IHttpRequestBodyDetectionFeature,
    IHttpMaxRequestBodySizeFeature,
    IHttpBodyControlFeature,
    IRequestBodyPipeFeature,
    IServerVariablesFeature,
    IDisposable
{
    private const int MostError = 1024;

    private readonly FastCgiConnection _connection;
    private readonly FeatureCollection _own;
    private readonly ResponseWriter _writer;
    private readonly ResponseStream _responseStream;
    private readonly RequestMap _map = new();
    private readonly HeaderDictionary _responseHeaders = [];
    private readonly Stack<(Func<object, Task> Call, object State)> _starting = new();
    private readonly Stack<(Func<object, Task> Call, object State)> _completed = new();
    private readonly Lock _aborting = new();
    private CancellationTokenSource? _abort;
    private CancellationToken? _replacedAbort;
    private Dictionary<string, string?>? _replacedVariables;
    private string? _traceIdentifier;
    private PipeReader? _reader;
    private long _number;
    private int _status;
    private string? _reason;
    private long? _maxBodySize;
    private bool _isAborted;
    private bool _isOnWire;

    public FastCgiRequest(FastCgiConnection connection, FastCgiOutput output, FastCgiLimits limits)
    {
        _connection = connection;
        Variables = new RequestVariables(limits.MaxParamsSize);
        _writer = new ResponseWriter(this, output);
        _responseStream = new ResponseStream(this, _writer);
        _own = new FeatureCollection(connection.Transport.Features);
        foreach (var feature in OwnFeatures)
        {
            _own[feature] = this;
        }

        ((IHttpRequestFeature)this).Headers = _map.Headers;
    }

    /// <summary>The features that it is itself.</summary>
    public static IReadOnlySet<Type> OwnFeatures { get; } = typeof(FastCgiRequest).GetInterfaces().Where(static one => one != typeof(IDisposable)).ToHashSet();

    /// <summary>What the application finds when it has set nothing itself.</summary>
    public IFeatureCollection Own => _own;

    public RequestVariables Variables { get; }

    /// <summary>Its number on the connection, given by the web server.</summary>
    public ushort Id { get; private set; }

    /// <summary>Whether the web server wants to use the connection again.</summary>
    public bool KeepsConnection { get; private set; }

    /// <summary>Whether it has begun for the web server and has not ended.</summary>
    public bool IsOnWire
    {
        get => Volatile.Read(ref _isOnWire);
        set => Volatile.Write(ref _isOnWire, value);
    }

    public bool IsAborted => Volatile.Read(ref _isAborted);

    public bool HasBodyBegun { get; set; }

    public RequestBody? Body { get; private set; }

    public long? ContentLength => _map.ContentLength;

    public long? MaxRequestBodySize
    {
        get => _maxBodySize;
        set
        {
            if (HasBodyBegun)
            {
                throw new InvalidOperationException("The limit of the body can't be changed once it is being read.");
            }

            if (value < 0)
            {
                throw new ArgumentOutOfRangeException(nameof(value), value, $"The limit of the body is {value} bytes; allowed is 0 and more, or null for none.");
            }

            _maxBodySize = value;
        }
    }

    public string Method { get; set; } = "";

    public string Scheme { get; set; } = "";

    public string PathBase { get; set; } = "";

    public string Path { get; set; } = "";

    public string QueryString { get; set; } = "";

    public string Protocol { get; set; } = "";

    public string RawTarget { get; set; } = "";

    IHeaderDictionary IHttpRequestFeature.Headers { get; set; } = null!;

    Stream IHttpRequestFeature.Body { get; set; } = Stream.Null;

    PipeReader IRequestBodyPipeFeature.Reader => _reader ??= (PipeReader?)Body ?? PipeReader.Create(ReadOnlySequence<byte>.Empty);

    public bool CanHaveBody => Body is not null;

    public bool IsReadOnly => HasBodyBegun;

    public bool AllowSynchronousIO { get; set; }

    public int StatusCode
    {
        get => _status;
        set
        {
            MustNotHaveStarted("The status");
            _status = value is >= 100 and <= 999
                ? value
                : throw new ArgumentOutOfRangeException(nameof(value), value, $"The status is {value}; allowed is between 100 and 999.");
        }
    }

    public string? ReasonPhrase
    {
        get => _reason;
        set
        {
            MustNotHaveStarted("The reason phrase");
            _reason = value;
        }
    }

    IHeaderDictionary IHttpResponseFeature.Headers { get; set; } = null!;

    public bool HasStarted { get; private set; }

    Stream IHttpResponseFeature.Body
    {
        get => _responseStream;
        set => throw new NotSupportedException("The body of the response is replaced by a feature: IHttpResponseBodyFeature.");
    }

    Stream IHttpResponseBodyFeature.Stream => _responseStream;

    PipeWriter IHttpResponseBodyFeature.Writer => _writer;

    public string TraceIdentifier
    {
        get => _traceIdentifier ??= string.Create(CultureInfo.InvariantCulture, $"{_connection.Transport.ConnectionId}:{_number:X8}");
        set => _traceIdentifier = value;
    }

    public string ConnectionId { get; set; } = "";

    public IPAddress? RemoteIpAddress { get; set; }

    public int RemotePort { get; set; }

    public IPAddress? LocalIpAddress { get; set; }

    public int LocalPort { get; set; }

    public CancellationToken RequestAborted
    {
        get
        {
            if (_replacedAbort is { } replaced)
            {
                return replaced;
            }

            lock (_aborting)
            {
                return _isAborted ? new CancellationToken(canceled: true) : (_abort ??= new CancellationTokenSource()).Token;
            }
        }

        set => _replacedAbort = value;
    }

    public string? this[string variableName]
    {
        get => _replacedVariables is not null && _replacedVariables.TryGetValue(variableName, out var replaced) ? replaced : Variables.Find(variableName);
        set => (_replacedVariables ??= new Dictionary<string, string?>(StringComparer.Ordinal))[variableName] = value;
    }

    /// <summary>The web server began a request; its variables follow.</summary>
    public void Begin(ushort id, bool keepsConnection)
    {
        (Id, KeepsConnection) = (id, keepsConnection);
        _number++;
        // A web server may begin the next request in the middle of a body that nobody wanted.
        Body?.Break();
        Variables.Clear();
        _writer.Clear();
        _starting.Clear();
        _completed.Clear();
        lock (_aborting)
        {
            (_abort, _isAborted) = (null, false);
        }

        (_replacedAbort, _replacedVariables, _traceIdentifier, _reader, Body, HasBodyBegun) = (null, null, null, null, null, false);
        (_status, _reason, HasStarted) = (StatusCodes.Status200OK, null, false);
        _responseHeaders.IsReadOnly = false;
        _responseHeaders.Clear();
        ((IHttpResponseFeature)this).Headers = _responseHeaders;
        ((IHttpRequestFeature)this).Headers = _map.Headers;
        IsOnWire = true;
    }

    /// <summary>All variables came.</summary>
    /// <returns>200, or the status that it is refused with.</returns>
    public int Read(int mostVariables, out string? why)
    {
        var status = _map.Read(Variables.Pairs, mostVariables, out why);
        if (why is null)
        {
            (Method, Scheme, Protocol) = (_map.Method, _map.Scheme, _map.Protocol);
            (RawTarget, PathBase, Path, QueryString) = (_map.Target.Raw, _map.Target.PathBase, _map.Target.Path, _map.Target.Query);
            (RemoteIpAddress, RemotePort, LocalIpAddress, LocalPort) = (_map.RemoteAddress, _map.RemotePort, _map.LocalAddress, _map.LocalPort);
            ConnectionId = _connection.Transport.ConnectionId;
            _maxBodySize = _connection.Kestrel.Limits.MaxRequestBodySize;
            AllowSynchronousIO = _connection.Kestrel.AllowSynchronousIO;
            ((IHttpRequestFeature)this).Body = Stream.Null;
        }

        return status;
    }

    /// <summary>There is, or will be, a body.</summary>
    public RequestBody OpenBody(MemoryPool<byte>? memory)
    {
        Body = new RequestBody(this, memory);
        ((IHttpRequestFeature)this).Body = new RequestStream(this, Body);
        return Body;
    }

    /// <summary>Nobody waits for the response any more. Any thread.</summary>
    public void OnAborted()
    {
        CancellationTokenSource? abort;
        lock (_aborting)
        {
            if (_isAborted)
            {
                return;
            }

            Volatile.Write(ref _isAborted, true);
            abort = _abort;
        }

        // Callbacks of the application's, so never on the thread that reads.
        if (abort is not null)
        {
            ThreadPool.UnsafeQueueUserWorkItem(static source => source.Cancel(), abort, preferLocal: false);
        }

        Body?.CancelPendingRead();
    }

    public void Abort()
    {
        // First: one who hears of it may end the request before the transport has heard, and its end would look whole.
        _connection.CutOff();
        OnAborted();
        _connection.Transport.Abort(new ConnectionAbortedException("The application aborted the request."));
    }

    public void OnStarting(Func<object, Task> callback, object state)
    {
        MustNotHaveStarted("What is called at the start of the response");
        _starting.Push((callback, state));
    }

    public void OnCompleted(Func<object, Task> callback, object state) => _completed.Push((callback, state));

    public void DisableBuffering()
    {
    }

    public Task StartAsync(CancellationToken cancellationToken = default) => HasStarted ? Task.CompletedTask : StartAsync(isEnd: false).AsTask();

    public Task SendFileAsync(string path, long offset, long? count, CancellationToken cancellationToken = default) =>
        SendFileFallback.SendFileAsync(_responseStream, path, offset, count, cancellationToken);

    public Task CompleteAsync() => _writer.CompleteAsync().AsTask();

    /// <summary>Makes the head of the response; it goes out with what follows.</summary>
    /// <param name="isEnd">Whether nothing more follows than what is written already.</param>
    public async ValueTask StartAsync(bool isEnd)
    {
        while (_starting.TryPop(out var next))
        {
            await next.Call(next.State).ConfigureAwait(false);
        }

        if (!HasStarted)
        {
            var headers = ((IHttpResponseFeature)this).Headers;
            _writer.BeginHead(_status, _reason, headers, isEnd);
            _responseHeaders.IsReadOnly = true;
            HasStarted = true;
        }
    }

    /// <summary>The application is through with it.</summary>
    /// <param name="failure">What it failed with; null when it did not.</param>
    /// <returns>What the request failed with in the end.</returns>
    public async Task<Exception?> EndAsync(Exception? failure)
    {
        if (failure is null)
        {
            failure = await FinishResponseAsync().ConfigureAwait(false);
        }

        var mustAbort = false;
        if (failure is not null && !IsAborted)
        {
            Report(failure);
            mustAbort = HasStarted;
            if (!HasStarted)
            {
                await AnswerFailureAsync(failure).ConfigureAwait(false);
            }
        }

        if (Body is { } body)
        {
            await body.CompleteAsync().ConfigureAwait(false);
        }

        await _connection.EndAsync(_writer, failure is null || IsAborted ? default : ErrorText(failure), failure is null ? 0 : 1, mustAbort).ConfigureAwait(false);
        await CompleteCallbacksAsync().ConfigureAwait(false);
        return failure;
    }

    /// <summary>Answers in the application's place.</summary>
    public ValueTask RefuseAsync(int status)
    {
        _status = status;
        _writer.BeginHead(status, null, _responseHeaders, isEnd: true);
        return _connection.EndAsync(_writer, default, applicationStatus: 0, mustAbort: false);
    }

    /// <summary>Something of the application's failed.</summary>
    public void Report(Exception failure) => Log.RequestFailed(_connection.Log, failure, Method, Path, ConnectionId);

    public void MustAllowBlocking(string instead)
    {
        if (!AllowSynchronousIO)
        {
            throw new InvalidOperationException($"Synchronous operations are disallowed. Call {instead} or set AllowSynchronousIO to true instead.");
        }
    }

    public void Dispose()
    {
        Variables.Dispose();
        _writer.Dispose();
    }

    private async Task<Exception?> FinishResponseAsync()
    {
        if (IsAborted)
        {
            return null;
        }

        try
        {
            if (!HasStarted)
            {
                await StartAsync(isEnd: true).ConfigureAwait(false);
            }

            return _writer.Missing == 0 ? null : new InvalidOperationException(
                $"The response has a Content-Length of {((IHttpResponseFeature)this).Headers.ContentLength}, and {_writer.Missing} bytes of that were not written.");
        }
#pragma warning disable CA1031 // It is the application's, as if it had come out of its handler.
        catch (Exception e)
#pragma warning restore CA1031
        {
            return e;
        }
    }

    private async ValueTask AnswerFailureAsync(Exception failure)
    {
        _writer.Clear();
        _responseHeaders.IsReadOnly = false;
        _responseHeaders.Clear();
        ((IHttpResponseFeature)this).Headers = _responseHeaders;
        (_status, _reason) = (failure is BadHttpRequestException bad ? bad.StatusCode : StatusCodes.Status500InternalServerError, null);
        try
        {
            await StartAsync(isEnd: true).ConfigureAwait(false);
        }
#pragma warning disable CA1031 // A callback may throw as well; then the response is what we have made.
        catch (Exception e)
#pragma warning restore CA1031
        {
            Report(e);
            _starting.Clear();
            _responseHeaders.Clear();
            await StartAsync(isEnd: true).ConfigureAwait(false);
        }
    }

    private static ReadOnlyMemory<byte> ErrorText(Exception failure)
    {
        var text = $"{failure.GetType().Name}: {failure.Message}";
        text = text.Length > MostError ? text[..MostError] : text;
        return System.Text.Encoding.UTF8.GetBytes(string.Concat(text.Select(static sign => char.IsControl(sign) ? ' ' : sign)));
    }

    private async ValueTask CompleteCallbacksAsync()
    {
        while (_completed.TryPop(out var next))
        {
            try
            {
                await next.Call(next.State).ConfigureAwait(false);
            }
#pragma warning disable CA1031 // The others are called all the same.
            catch (Exception e)
#pragma warning restore CA1031
            {
                Report(e);
            }
        }
    }

    private void MustNotHaveStarted(string what)
    {
        if (HasStarted)
        {
            throw new InvalidOperationException($"{what} can't be changed, because the response has started.");
        }
    }
}
