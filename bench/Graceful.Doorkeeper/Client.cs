using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using Graceful.Probe;

namespace Graceful.Doorkeeper;

/// <summary>One client on a thread of its own, which retries nothing: each request has one of the probe's outcomes.</summary>
internal sealed class Client(EndPoint server) : IDisposable
{
    private static readonly byte[] Request = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"u8.ToArray();
    private static readonly TimeSpan Moment = TimeSpan.FromMilliseconds(1);
    private static readonly TimeSpan AnswerLimit = TimeSpan.FromSeconds(20);

    private readonly AnswerReader _answer = new();
    private readonly byte[] _buffer = new byte[4096];
    private Socket? _kept;

    public Dictionary<Outcome, long> Outcomes { get; } = Enum.GetValues<Outcome>().ToDictionary(outcome => outcome, _ => 0L);

    /// <summary>When the last shot was taken and answered, as time stamps.</summary>
    public long ShotAt { get; private set; }

    public long AnsweredAt { get; private set; }

    public void Take(Shot shot, long at)
    {
        Wait(at);
        ShotAt = Stopwatch.GetTimestamp();
        if (shot == Shot.AskAgain && _kept is not null)
        {
            if (!HasEnded(_kept))
            {
                Count(Ask(reused: true));
                return;
            }

            Count(Outcome.ClosedIdle);
        }

        Count(Connect(shot));
    }

    public void Dispose() => Drop();

    private static void Wait(long at)
    {
        var left = Stopwatch.GetElapsedTime(Stopwatch.GetTimestamp(), at);
        if (left > TimeSpan.Zero)
        {
            Thread.Sleep(left);
        }
    }

    private static bool HasEnded(Socket socket)
    {
        try
        {
            return socket.Poll(TimeSpan.Zero, SelectMode.SelectRead);
        }
        catch (SocketException)
        {
            return true;
        }
    }

    private void Count(Outcome outcome) => Outcomes[outcome]++;

    private Outcome Connect(Shot shot)
    {
        Drop();
        _kept = new Socket(server.AddressFamily, SocketType.Stream, ProtocolType.Tcp)
        {
            NoDelay = true,
            ReceiveTimeout = (int)AnswerLimit.TotalMilliseconds,
        };
        try
        {
            _kept.Connect(server);
        }
        catch (SocketException e)
        {
            Drop();
            return e.SocketErrorCode == SocketError.TimedOut ? Outcome.ConnectTimeout : Outcome.Refused;
        }

        if (shot == Shot.ConnectThenAsk)
        {
            Thread.Sleep(Moment);
        }

        return Ask(reused: false);
    }

    private Outcome Ask(bool reused)
    {
        _answer.Reset();
        var outcome = Exchange() switch
        {
            _ when _answer.IsMalformed => Outcome.Malformed,
            _ when _answer.IsComplete => _answer.Status == 200 ? Outcome.Ok : Outcome.OtherStatus,
            SocketError.TimedOut or SocketError.WouldBlock => Outcome.Unanswered,
            _ when _answer.Begun => Outcome.Truncated,
            _ => reused ? Outcome.LostReused : Outcome.LostNew,
        };
        AnsweredAt = Stopwatch.GetTimestamp();
        if (outcome != Outcome.Ok || !_answer.KeepAlive)
        {
            Drop();
        }

        return outcome;
    }

    private SocketError Exchange()
    {
        try
        {
            _kept!.Send(Request);
            while (!_answer.IsComplete && !_answer.IsMalformed)
            {
                var count = _kept.Receive(_buffer);
                if (count == 0)
                {
                    _answer.End();
                    return SocketError.Success;
                }

                _answer.Feed(_buffer.AsSpan(0, count));
            }

            return SocketError.Success;
        }
        catch (SocketException e)
        {
            return e.SocketErrorCode;
        }
    }

    private void Drop()
    {
        _kept?.Dispose();
        _kept = null;
    }
}
