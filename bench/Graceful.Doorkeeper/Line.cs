using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using Graceful.Probe;

namespace Graceful.Doorkeeper;

/// <summary>One connection of a client, kept from request to request.</summary>
internal sealed class Line(EndPoint server) : IDisposable
{
    private static readonly byte[] Request = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"u8.ToArray();
    private static readonly TimeSpan AnswerLimit = TimeSpan.FromSeconds(20);

    private readonly Socket _socket = new(server.AddressFamily, SocketType.Stream, ProtocolType.Unspecified)
    {
        ReceiveTimeout = (int)AnswerLimit.TotalMilliseconds,
    };
    private readonly AnswerReader _answer = new();
    private readonly byte[] _buffer = new byte[4096];
    private long? _asked;
    private bool _isSent;

    /// <summary>Since the request before this one; null for the first.</summary>
    public TimeSpan? Silence { get; private set; }

    public bool KeepAlive => _answer.KeepAlive;

    /// <returns>What became of it, where it was not connected.</returns>
    public Outcome? Connect()
    {
        try
        {
            _socket.Connect(server);
            if (server is IPEndPoint)
            {
                _socket.NoDelay = true;
            }

            return null;
        }
        catch (SocketException e)
        {
            return e.SocketErrorCode == SocketError.TimedOut ? Outcome.ConnectTimeout : Outcome.Refused;
        }
    }

    /// <summary>Whether the server closed it, now or within that time.</summary>
    public bool HasEnded(TimeSpan within)
    {
        try
        {
            return _socket.Poll(within, SelectMode.SelectRead);
        }
        catch (SocketException)
        {
            return true;
        }
    }

    public void Send()
    {
        _answer.Reset();
        try
        {
            _isSent = _socket.Send(Request) == Request.Length;
        }
        catch (SocketException)
        {
            _isSent = false;
        }

        // Now and not before: this thread may have had to wait for its turn.
        var now = Stopwatch.GetTimestamp();
        Silence = _asked is { } before ? Stopwatch.GetElapsedTime(before, now) : null;
        _asked = now;
    }

    public Outcome Receive()
    {
        var error = _isSent ? Read() : SocketError.ConnectionReset;
        return error switch
        {
            _ when _answer.IsMalformed => Outcome.Malformed,
            _ when _answer.IsComplete => _answer.Status == 200 ? Outcome.Ok : Outcome.OtherStatus,
            SocketError.TimedOut or SocketError.WouldBlock => Outcome.Unanswered,
            _ when _answer.Begun => Outcome.Truncated,
            _ => Silence is null ? Outcome.LostNew : Outcome.LostReused,
        };
    }

    public void Dispose() => _socket.Dispose();

    private SocketError Read()
    {
        try
        {
            while (!_answer.IsComplete && !_answer.IsMalformed)
            {
                var count = _socket.Receive(_buffer);
                if (count == 0)
                {
                    _answer.End();
                    break;
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
}
