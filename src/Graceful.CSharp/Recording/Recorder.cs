using System.Threading.Channels;
using Graceful.Core;
using Graceful.Engine;
using Graceful.Reporting;

namespace Graceful.Recording;

/// <summary>
/// Takes down what happens, in the order in which it happens, and leaves the writing to a thread of its own: a disk that
/// is slow or full harms the record and nothing else. Events of the lifecycle are taken down always; gate, connections and
/// requests on the way out only.
/// </summary>
internal sealed class Recorder : IDisposable
{
    /// <summary>Lines that wait for a slow disk; some ten megabytes.</summary>
    private const int MostWaiting = 100_000;

    // Not told that it has a single reader: the channel for those can't say how many lines wait.
    private readonly Channel<RecordLine> _lines = Channel.CreateUnbounded<RecordLine>();
    private readonly Lock _gateOrder = new();
    private readonly EngineClock _clock;
    private readonly RecordFile _file;
    private readonly Action<Exception> _failed;
    private readonly Task _writing;
    private readonly List<LifecycleLine> _look = [];
    private int _connections;
    private bool _leaving;
    private bool _detailsAreCut;
    private bool _isGivenUp;

    public Recorder(RecordFile file, HeaderLine header, EngineClock clock, Action<Exception> failed)
    {
        _file = file;
        _clock = clock;
        _failed = failed;
        _writing = Task.Run(() => WriteAsync(header));
    }

    /// <summary>Call it in the mailbox, before the orders are carried out. Never throws: the way out depends on it.</summary>
    public void Take(Instant now, Event happened, Lifecycle next, IEnumerable<Effect> effects)
    {
        try
        {
            if (_lines.Reader.Count < MostWaiting)
            {
                Add(new LifecycleLine(now, happened, CoreText.Of(next), [.. effects.Select(CoreText.Of)]), next, [.. effects]);
            }
            else
            {
                Add(new CutLine(now, Everything: true, "the disk is too slow"));
                _lines.Writer.TryComplete();
            }
        }
#pragma warning disable CA1031 // See above.
        catch (Exception e)
#pragma warning restore CA1031
        {
            _lines.Writer.TryComplete();
            _failed(e);
        }

        Volatile.Write(ref _leaving, ReportBuilder.ShutdownOf(next) is not null);
    }

    /// <summary>A hook was added: from here on the core knows it.</summary>
    public void Added(Instant now, Hook hook)
    {
        AddLook();
        Add(new HookLine(now, hook));
    }

    /// <summary>Steps the gate. Steps take turns, so that the lines are in the order of the steps.</summary>
    public int Step(GateCell gate, GateEvent happened)
    {
        lock (_gateOrder)
        {
            var effect = gate.Step(happened, out var from, out var to);
            if (Volatile.Read(ref _leaving) && (GateLine.Word(from) != GateLine.Word(to) || !effect.IsNoChange))
            {
                AddDetail(new GateLine(_clock.Now, happened, from, to, effect));
            }

            return effect.Tag;
        }
    }

    /// <summary>
    /// Steps a connection. Its own steps take turns, so that its lines are in the order of its steps; other connections are
    /// not in the way.
    /// </summary>
    public ConnectionEffect Step(
        TrackedConnection connection, ref ConnectionCell cell, ConnectionEvent happened, out Connection from, out Connection to)
    {
        lock (connection)
        {
            var effect = cell.Step(happened, out from, out to);
            if (Volatile.Read(ref _leaving) && (ConnectionLine.Word(from) != ConnectionLine.Word(to) || !effect.IsNothing))
            {
                var isNew = connection.RecordNumber == 0;
                if (isNew)
                {
                    connection.RecordNumber = Interlocked.Increment(ref _connections);
                }

                AddDetail(new ConnectionLine(
                    _clock.Now, connection.RecordNumber, isNew ? connection.Id : null, happened, from, to, effect));
            }

            return effect;
        }
    }

    public void Ended(TrackedConnection connection, in HeldRequestFacts request) =>
        Add(connection, request.ToHeld(), RequestEnd.Ended);

    public void CutOff(TrackedConnection connection, HeldRequest request) => Add(connection, request, RequestEnd.CutOff);

    public void LetGo(TrackedConnection connection, HeldRequest request) => Add(connection, request, RequestEnd.LetGo);

    /// <summary>Completes when all that was taken down before is in the file, or the file is broken, or after the limit.</summary>
    public async Task FlushAsync(TimeSpan limit)
    {
        if (Volatile.Read(ref _isGivenUp))
        {
            return;
        }

        var mark = new FlushMark(_clock.Now);
        Add(mark);
        if (await Task.WhenAny(mark.Written, _writing, Task.Delay(limit)).ConfigureAwait(false) is var first
            && first != mark.Written && first != _writing)
        {
            // A disk that is stuck is waited for once.
            Volatile.Write(ref _isGivenUp, true);
        }
    }

    public void Dispose() => _lines.Writer.TryComplete();

    /// <summary>
    /// A server with an idle limit looks once a limit whether it is needed, for months perhaps, and each look that finds somebody leads
    /// where the one before did. Only the last is kept, or the record would be full of them when the way out comes.
    /// </summary>
    private void Add(LifecycleLine line, Lifecycle next, Effect[] effects)
    {
        if (line.Happened.IsWoke && effects is [{ IsSampleIdle: true }])
        {
            _look.Clear();
            _look.Add(line);
        }
        else if (line.Happened.IsIdleSampled && next.IsRunning && _look.Count == 1)
        {
            _look.Add(line);
        }
        else
        {
            AddLook();
            Add(line);
        }
    }

    private void AddLook()
    {
        _look.ForEach(Add);
        _look.Clear();
    }

    private void Add(TrackedConnection connection, HeldRequest request, RequestEnd end)
    {
        // Requests of a drill, or of a connection that was told before a stop was undone, are none of a way out's.
        if (Volatile.Read(ref _leaving))
        {
            AddDetail(new RequestLine(_clock.Now, connection.RecordNumber, RequestLine.Known(request.Method), request.Route, request.Age, end));
        }
    }

    private void AddDetail(RecordLine line)
    {
        if (_lines.Reader.Count < MostWaiting * 9 / 10)
        {
            Add(line);
        }
        else if (!Interlocked.Exchange(ref _detailsAreCut, true))
        {
            Add(new CutLine(line.At, Everything: false, "the disk is too slow"));
        }
    }

    private void Add(RecordLine line) => _lines.Writer.TryWrite(line);

    private async Task WriteAsync(HeaderLine header)
    {
        try
        {
            using var file = _file;
            file.Begin(header);
            file.Flush();
            while (!file.IsFull && await _lines.Reader.WaitToReadAsync().ConfigureAwait(false))
            {
                WriteWaiting(file);
            }
        }
#pragma warning disable CA1031 // Whatever keeps a record from being written must not keep the server from leaving.
        catch (Exception e)
#pragma warning restore CA1031
        {
            _failed(e);
        }
        finally
        {
            _lines.Writer.TryComplete();
        }
    }

    private void WriteWaiting(RecordFile file)
    {
        var marks = new List<FlushMark>();
        while (!file.IsFull && _lines.Reader.TryRead(out var line))
        {
            if (line is FlushMark mark)
            {
                marks.Add(mark);
            }
            else
            {
                file.Write(line);
            }
        }

        // In the hands of the system it survives whatever becomes of the process.
        file.Flush();
        marks.ForEach(mark => mark.Reached());
    }
}
