using System.Buffers;
using System.Globalization;
using System.IO.Pipelines;
using System.Text;
using Graceful.Core;
using Graceful.Kestrel;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.Logging;

namespace Graceful.FastCgi;

/// <summary>
/// A connection of a web server's. It reads records while the application waits, so that an abort is heard; that the connection is gone is heard at
/// any time, unless its end is ours. Requests are served one after the other: one that came whole by the reader itself until it first waits, as
/// Kestrel does, and one whose body still comes beside the reader.
/// </summary>
internal sealed class FastCgiConnection : IDisposable
{
    /// <summary>How long what is left of a body is taken from a web server after the response, before the connection ends.</summary>
    private static readonly TimeSpan LingerLimit = TimeSpan.FromSeconds(5);

    private readonly Application _application;
    private readonly FastCgiLimits _limits;
    private readonly KestrelConnection? _tracked;
    private readonly LastReader? _last;
    private readonly PipeReader _input;
    private readonly FastCgiOutput _output;
    private readonly FastCgiRequest _request;
    private readonly MemoryPool<byte>? _memory;

    // Of the record that is being read; the reader's own.
    private RecordHeader _record;
    private bool _isInRecord;
    private bool _isMine;
    private int _left;
    private int _skip;

    private Expected _expected;
    private bool _isReady;
    private bool _isOver;
    private Task<IFeatureCollection>? _running;

    private volatile bool _isClosing;
    private volatile bool _isCloseRequested;
    private long _deadline;

    public FastCgiConnection(ConnectionContext transport, Application application, KestrelServerOptions kestrel, FastCgiLimits limits, ILogger log)
    {
        (Transport, _application, Kestrel, _limits, Log) = (transport, application, kestrel, limits, log);
        _tracked = transport.Features[typeof(KestrelConnection)] as KestrelConnection;
        _tracked?.SpeakFastCgi();
        _memory = transport.Features.Get<IMemoryPoolFeature>()?.MemoryPool;
        _last = transport.Transport.Input as LastReader;
        _input = _last?.Pipe ?? transport.Transport.Input;
        _output = new FastCgiOutput(transport.Transport.Output, transport.Features.Get<IConnectionSocketFeature>()?.Socket);
        _request = new FastCgiRequest(this, _output, limits);
    }

    /// <summary>What the web server sends next of a request.</summary>
    private enum Expected
    {
        /// <summary>Nothing, or a request.</summary>
        Request,
        Variables,
        Body,
    }

    public ConnectionContext Transport { get; }

    public KestrelServerOptions Kestrel { get; }

    public ILogger Log { get; }

    public async Task RunAsync()
    {
        var lifetime = Transport.Features.Get<IConnectionLifetimeNotificationFeature>();
        Expect(Expected.Request, _limits.IdleTimeout);
        Transport.Features.Get<IConnectionHeartbeatFeature>()?.OnHeartbeat(static connection => ((FastCgiConnection)connection).Tick(), this);
        var closed = Transport.ConnectionClosed.UnsafeRegister(static connection => ((FastCgiConnection)connection!)._request.OnAborted(), this);
        var asked = lifetime?.ConnectionClosedRequested.UnsafeRegister(static connection => ((FastCgiConnection)connection!).RequestClose(), this) ?? default;
        try
        {
            while (await ReadAsync().ConfigureAwait(false))
            {
            }
        }
        catch (Exception e) when (e is IOException or OperationCanceledException)
        {
            // The web server is gone, or the connection was aborted.
        }
        finally
        {
            await asked.DisposeAsync().ConfigureAwait(false);
            await EndAsync().ConfigureAwait(false);
            await closed.DisposeAsync().ConfigureAwait(false);
        }
    }

    /// <summary>The end of a request: what is left of its response, the notice if there is one, and what follows.</summary>
    /// <param name="writer">The response.</param>
    /// <param name="error">What goes to the web server's log.</param>
    /// <param name="applicationStatus">0, or what a program would exit with.</param>
    /// <param name="mustAbort">Its response can't be completed, and the client must see that.</param>
    public async ValueTask EndAsync(ResponseWriter writer, ReadOnlyMemory<byte> error, int applicationStatus, bool mustAbort)
    {
        if (mustAbort)
        {
            await _output.WriteAsync(RecordType.StandardError, _request.Id, error, default, CancellationToken.None).ConfigureAwait(false);
            _isClosing = true;
            _request.IsOnWire = false;
            await _output.CompleteAsync().ConfigureAwait(false);
            _input.CancelPendingRead();
            return;
        }

        var isLast = !ConnectionModule.isKept(_request.KeepsConnection && !_isCloseRequested, _tracked?.Now ?? ConnectionModule.initial);
        if (_tracked is { MustTell: true })
        {
            _tracked.Told();
        }

        _isClosing = isLast;
        _request.IsOnWire = false;
        Volatile.Write(ref _deadline, DeadlineOf(isLast ? LingerLimit : _limits.IdleTimeout));
        await writer.EndAsync(error, applicationStatus, isLast && _expected == Expected.Request).ConfigureAwait(false);
        if (isLast || _isCloseRequested)
        {
            _input.CancelPendingRead();
        }
    }

    /// <summary>From here on nothing more is written.</summary>
    public void CutOff() => _output.CutOff();

    public void Dispose() => _request.Dispose();

    private void RequestClose()
    {
        _isCloseRequested = true;
        _input.CancelPendingRead();
    }

    /// <summary>Once a second.</summary>
    private void Tick()
    {
        if (Environment.TickCount64 >= Volatile.Read(ref _deadline))
        {
            _input.CancelPendingRead();
        }
    }

    private async ValueTask<bool> ReadAsync()
    {
        var read = await _input.ReadAsync().ConfigureAwait(false);
        var rest = await TakeAsync(read.Buffer).ConfigureAwait(false);
        var isEmpty = rest.IsEmpty;
        _input.AdvanceTo(rest.Start, rest.End);
        Start();
        if (_isOver || read.IsCompleted)
        {
            return false;
        }

        if (_request.IsOnWire && _expected != Expected.Variables)
        {
            return true;
        }

        if (!_isClosing && _isCloseRequested && _expected == Expected.Request && isEmpty && !_isInRecord && _skip == 0)
        {
            return _last?.TryShut() ?? false;
        }

        if (Environment.TickCount64 >= Volatile.Read(ref _deadline))
        {
            if (_expected == Expected.Variables && !_isClosing)
            {
                return await RefuseAsync(StatusCodes.Status408RequestTimeout, "its variables did not come in time").ConfigureAwait(false);
            }

            return false;
        }

        return !_isClosing || _expected != Expected.Request;
    }

    /// <summary>Takes as much as makes sense already.</summary>
    /// <returns>What is left, for when more has come.</returns>
    private async ValueTask<ReadOnlySequence<byte>> TakeAsync(ReadOnlySequence<byte> bytes)
    {
        while (!_isOver)
        {
            if (_skip > 0)
            {
                var skipped = (int)Math.Min(_skip, bytes.Length);
                bytes = bytes.Slice(skipped);
                _skip -= skipped;
                if (_skip > 0)
                {
                    break;
                }
            }

            if (!_isInRecord && !TryBeginRecord(ref bytes))
            {
                break;
            }

            if (_isMine)
            {
                var piece = bytes.Slice(0, Math.Min(_left, bytes.Length));
                if (piece.IsEmpty && _left > 0)
                {
                    break;
                }

                bytes = bytes.Slice(piece.End);
                _left -= (int)piece.Length;
                await TakeStreamAsync(piece).ConfigureAwait(false);
            }
            else if (IsIgnored)
            {
                (_skip, _left) = (_left, 0);
            }
            else if (bytes.Length < _left)
            {
                break;
            }
            else
            {
                var content = bytes.Slice(0, _left);
                bytes = bytes.Slice(_left);
                _left = 0;
                await ActAsync(content).ConfigureAwait(false);
            }

            if (_left == 0)
            {
                _isInRecord = false;
                _skip += _record.PaddingLength;
            }
        }

        return bytes;
    }

    private bool TryBeginRecord(ref ReadOnlySequence<byte> bytes)
    {
        if (!RecordHeader.TryRead(ref bytes, out _record))
        {
            return false;
        }

        if (_record.Version != RecordHeader.Version1)
        {
            Break(string.Create(CultureInfo.InvariantCulture, $"a record of version {_record.Version} came"));
            return false;
        }

        (_isInRecord, _left) = (true, _record.ContentLength);
        _isMine = _expected != Expected.Request && _record.RequestId == _request.Id
            && (_record.Type == RecordType.StandardInput || (_record.Type == RecordType.Params && _expected == Expected.Variables));
        if (_isMine && _record.Type == RecordType.StandardInput && _expected == Expected.Variables)
        {
            Break("a body came before its request was told");
            return false;
        }

        return true;
    }

    /// <summary>Whether the record is none of ours: of another request, or of one that has ended.</summary>
    private bool IsIgnored => _record.RequestId != 0 && !(
        _record.Type == RecordType.BeginRequest || (_record.Type == RecordType.AbortRequest && _record.RequestId == _request.Id));

    private ValueTask TakeStreamAsync(ReadOnlySequence<byte> piece)
    {
        var isEnd = _record.ContentLength == 0;
        return _record.Type == RecordType.Params
            ? isEnd ? EndVariablesAsync() : AddVariablesAsync(piece)
            : isEnd ? EndBodyAsync() : AddBodyAsync(piece);
    }

    private async ValueTask AddVariablesAsync(ReadOnlySequence<byte> piece)
    {
        // Of one that was refused nothing more is kept.
        if (_request.IsOnWire && !_request.Variables.TryAdd(piece))
        {
            await RefuseAsync(
                StatusCodes.Status431RequestHeaderFieldsTooLarge,
                string.Create(CultureInfo.InvariantCulture, $"its variables have more than {_limits.MaxParamsSize} bytes")).ConfigureAwait(false);
        }
    }

    private async ValueTask EndVariablesAsync()
    {
        if (!_request.IsOnWire)
        {
            _expected = Expected.Body;
            return;
        }

        Expect(Expected.Body, Timeout.InfiniteTimeSpan);
        if (_request.Read(_limits.MaxParamsCount, out var why) is var status && why is not null)
        {
            await RefuseAsync(status, why).ConfigureAwait(false);
        }
        else
        {
            _isReady = true;
        }
    }

    private async ValueTask AddBodyAsync(ReadOnlySequence<byte> piece)
    {
        Start();
        if (_request.IsOnWire && _request.Body is { } body)
        {
            // While nobody reads nothing more is taken; when nobody will, what still comes is dropped.
            await body.WriteAsync(piece).ConfigureAwait(false);
        }
    }

    private ValueTask EndBodyAsync()
    {
        _expected = Expected.Request;
        if (_isReady)
        {
            Start();
        }
        else
        {
            _request.Body?.End();
        }

        return ValueTask.CompletedTask;
    }

    /// <summary>The application gets its request, and it is known whether a body comes with it.</summary>
    private void Start()
    {
        if (!_isReady)
        {
            return;
        }

        _isReady = false;
        if (_expected == Expected.Body ? _request.ContentLength != 0 : _request.ContentLength > 0)
        {
            var body = _request.OpenBody(_memory);
            if (_expected != Expected.Body)
            {
                body.End();
            }
        }

        var before = _running?.Result;
        _running = _expected == Expected.Body ? ServeBesideAsync(before) : _application.RunAsync(_request, before);
    }

    private async Task<IFeatureCollection> ServeBesideAsync(IFeatureCollection? before)
    {
        await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
        return await _application.RunAsync(_request, before).ConfigureAwait(false);
    }

    private ValueTask ActAsync(ReadOnlySequence<byte> content) => _record switch
    {
        { RequestId: 0, Type: RecordType.GetValues } => AnswerValuesAsync(content),
        { RequestId: 0 } => _output.AnswerAsync((byte)_record.Type, static (into, type) => Records.Write(into, RecordType.UnknownType, 0, [type, 0, 0, 0, 0, 0, 0, 0])),
        { Type: RecordType.BeginRequest } => BeginAsync(content),
        _ => AbortAsync(),
    };

    private async ValueTask BeginAsync(ReadOnlySequence<byte> content)
    {
        const int Responder = 1;
        const int KeepConnection = 1;
        if (content.Length < 8)
        {
            Break("the beginning of a request was too short");
            return;
        }

        if (_isClosing)
        {
            _isOver = true;
            return;
        }

        var id = _record.RequestId;
        if (_request.IsOnWire)
        {
            if (id == _request.Id)
            {
                Break("a request began that had begun already");
                return;
            }

            await AnswerAsync(id, ProtocolStatus.CantMultiplex).ConfigureAwait(false);
            return;
        }

        var (role, flags) = RoleOf(content);
        if (_running is { IsCompleted: false })
        {
            // The one before has ended for the web server, and its last callbacks still run.
            await _running.ConfigureAwait(false);
        }

        if (role != Responder)
        {
            await AnswerAsync(id, ProtocolStatus.UnknownRole).ConfigureAwait(false);
            if ((flags & KeepConnection) == 0)
            {
                Break("a request asked for a role that is not ours");
            }

            return;
        }

        Expect(Expected.Variables, _limits.ParamsTimeout);
        _request.Begin(id, (flags & KeepConnection) != 0);
    }

    private static (int Role, byte Flags) RoleOf(in ReadOnlySequence<byte> content)
    {
        Span<byte> body = stackalloc byte[3];
        content.Slice(0, body.Length).CopyTo(body);
        return ((body[0] << 8) | body[1], body[2]);
    }

    private async ValueTask AbortAsync()
    {
        if (!_request.IsOnWire)
        {
            return;
        }

        if (_expected == Expected.Variables || _isReady)
        {
            _isReady = false;
            _expected = Expected.Request;
            _request.OnAborted();
            await _request.RefuseAsync(StatusCodes.Status499ClientClosedRequest).ConfigureAwait(false);
            return;
        }

        _request.OnAborted();
        if (_expected == Expected.Body)
        {
            _expected = Expected.Request;
            _request.Body?.Break();
        }
    }

    private ValueTask AnswerAsync(ushort id, ProtocolStatus status) =>
        _output.AnswerAsync((id, status), static (into, end) => Records.WriteEnd(into, end.id, 0, end.status));

    private ValueTask AnswerValuesAsync(ReadOnlySequence<byte> content)
    {
        var asked = new NameValueReader(content.ToArray());
        var answer = new ArrayBufferWriter<byte>(64);
        var (connections, requests, multiplexed) = (false, false, false);
        while (asked.Next())
        {
            connections |= asked.Name.SequenceEqual("FCGI_MAX_CONNS"u8);
            requests |= asked.Name.SequenceEqual("FCGI_MAX_REQS"u8);
            multiplexed |= asked.Name.SequenceEqual("FCGI_MPXS_CONNS"u8);
        }

        // One request a connection: so both numbers are one.
        var most = Encoding.ASCII.GetBytes((Kestrel.Limits.MaxConcurrentConnections ?? int.MaxValue).ToString(CultureInfo.InvariantCulture));
        if (connections)
        {
            Records.WriteShortPair(answer, "FCGI_MAX_CONNS"u8, most);
        }

        if (requests)
        {
            Records.WriteShortPair(answer, "FCGI_MAX_REQS"u8, most);
        }

        if (multiplexed)
        {
            Records.WriteShortPair(answer, "FCGI_MPXS_CONNS"u8, "0"u8);
        }

        return _output.AnswerAsync(answer.WrittenMemory, static (into, pairs) => Records.Write(into, RecordType.GetValuesResult, 0, pairs.Span));
    }

    /// <returns>True: what is left of the request is read, and dropped.</returns>
    private async ValueTask<bool> RefuseAsync(int status, string why)
    {
        Reporting.Log.RequestRefused(Log, Transport.ConnectionId, status.ToString(CultureInfo.InvariantCulture), why);
        await _request.RefuseAsync(status).ConfigureAwait(false);
        return true;
    }

    /// <summary>What the web server sends makes no sense: nothing that follows can be trusted.</summary>
    private void Break(string why)
    {
        Reporting.Log.ConnectionBroken(Log, Transport.ConnectionId, why);
        _isOver = true;
    }

    private void Expect(Expected next, TimeSpan limit)
    {
        _expected = next;
        Volatile.Write(ref _deadline, DeadlineOf(limit));
    }

    private static long DeadlineOf(TimeSpan limit) =>
        limit == Timeout.InfiniteTimeSpan ? long.MaxValue : Environment.TickCount64 + (long)limit.TotalMilliseconds;

    private async Task EndAsync()
    {
        // Where it was us who ended what comes, the web server still waits for what it asked for.
        if (!(_expected == Expected.Request && _tracked?.Reader is { IsShut: true }))
        {
            if (_request.IsOnWire)
            {
                _request.OnAborted();
            }

            _request.Body?.Break();
        }

        if (_running is not null)
        {
            await _running.ConfigureAwait(false);
        }

        await _input.CompleteAsync().ConfigureAwait(false);
        await _output.CompleteAsync().ConfigureAwait(false);
    }
}
