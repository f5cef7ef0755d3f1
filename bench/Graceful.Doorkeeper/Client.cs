using System.Diagnostics;
using System.Net;
using Graceful.Probe;

namespace Graceful.Doorkeeper;

/// <summary>
/// One client on a thread of its own, which retries nothing: each request has one of the probe's outcomes. A shot is a volley on several
/// connections, because the moments that matter last for less than a millisecond.
/// </summary>
/// <param name="server">Where the server is.</param>
/// <param name="quietPeriod">The server's: whoever was silent for longer was promised nothing for his next request.</param>
internal sealed class Client(EndPoint server, TimeSpan quietPeriod) : IDisposable
{
    private const int LinesInAVolley = 6;

    private readonly List<Line> _lines = [];
    private readonly List<long> _shots = [];

    public Dictionary<Outcome, long> Outcomes { get; } = Enum.GetValues<Outcome>().ToDictionary(outcome => outcome, _ => 0L);

    /// <summary>Requests on kept connections that were sent too late to be promised an answer, and got none.</summary>
    public long Unpromised { get; private set; }

    /// <summary>When the last volley was fired, each shot of it, and when it was answered, as time stamps.</summary>
    public IReadOnlyList<long> Shots => _shots;

    public long AnsweredAt { get; private set; }

    /// <param name="shot">What is done on each line.</param>
    /// <param name="at">When, as a time stamp.</param>
    /// <param name="apart">From one shot to the next.</param>
    public void Fire(Shot shot, long at, TimeSpan apart)
    {
        _shots.Clear();
        Wait(at);
        if (shot == Shot.AskAgain)
        {
            AskAgain(apart);
        }

        if (_shots.Count == 0)
        {
            Connect(shot, apart);
        }

        foreach (var line in _lines.ToList())
        {
            Count(line, line.Receive());
        }

        AnsweredAt = Stopwatch.GetTimestamp();
    }

    public void Dispose() => _lines.ForEach(line => line.Dispose());

    private static void Wait(long at)
    {
        var left = Stopwatch.GetElapsedTime(Stopwatch.GetTimestamp(), at);
        if (left > TimeSpan.Zero)
        {
            Thread.Sleep(left);
        }
    }

    private void Connect(Shot shot, TimeSpan apart)
    {
        foreach (var line in _lines.ToList())
        {
            Drop(line);
        }

        for (var count = 0; count < LinesInAVolley; count++)
        {
            _shots.Add(Stopwatch.GetTimestamp());
            var line = new Line(server);
            _lines.Add(line);
            if (line.Connect() is { } failure)
            {
                Count(line, failure);
            }
            else if (shot != Shot.ConnectThenAsk)
            {
                line.Send();
            }

            Thread.Sleep(apart);
        }

        if (shot == Shot.ConnectThenAsk)
        {
            _lines.ForEach(line => line.Send());
        }
    }

    private void AskAgain(TimeSpan apart)
    {
        var within = TimeSpan.Zero;
        foreach (var line in _lines.ToList())
        {
            // Where the server closes connections now, the next ones are about to be closed too: asked at once, they show whether a request can meet that.
            var hasEnded = line.HasEnded(within);
            within = hasEnded ? TimeSpan.Zero : apart;
            if (hasEnded)
            {
                Count(line, Outcome.ClosedIdle);
                continue;
            }

            _shots.Add(Stopwatch.GetTimestamp());
            line.Send();
        }
    }

    private void Count(Line line, Outcome outcome)
    {
        if (outcome == Outcome.LostReused && line.Silence > quietPeriod)
        {
            Unpromised++;
        }
        else
        {
            Outcomes[outcome]++;
        }

        if (outcome != Outcome.Ok || !line.KeepAlive)
        {
            Drop(line);
        }
    }

    private void Drop(Line line)
    {
        _lines.Remove(line);
        line.Dispose();
    }
}
