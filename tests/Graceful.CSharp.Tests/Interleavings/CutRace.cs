using Graceful.Core;
using Graceful.Engine;
using Graceful.Kestrel;
using Graceful.Tests.Support;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging.Abstractions;
using static Graceful.Tests.Interleavings.BrokenRuleException;

namespace Graceful.Tests.Interleavings;

/// <summary>
/// One thread serves request after request on one context, every other of which may be aborted at once; another one
/// begins to drain and sweeps. Only a request that may be aborted is, once, and while the context is still its own.
/// </summary>
internal sealed class CutRace : IRace
{
    public static readonly string[] Outcomes =
        ["cut off on HTTP/1.1", "cut off on HTTP/2", "not cut off, and could have been", "ended while it was cut off"];

    private static readonly Endpoint MayBeAborted = new(null, new EndpointMetadataCollection(new DrainAttribute(DrainMode.AbortAtOnce)), null);
    private static readonly Endpoint MustFinish = new(null, new EndpointMetadataCollection(), null);
    private static readonly LifecycleEngine Engine = new(new GracefulOptions(), NullLogger.Instance);
    private static readonly DrainLook Look = new(Instant.NewInstant(0), TimeSpan.Zero, TimeSpan.FromHours(1), AnybodyMust: true);

    private readonly long _round;
    private readonly bool _waits;
    private readonly bool _isHttp2;
    private readonly KestrelConnection _connection;
    private readonly HandmadeRequest _request;
    private readonly HashSet<int> _aborted = [];
    private int _served;
    private int _waited;
    private bool _isSwept;
    private string? _broken;

    /// <param name="round">Which race it is.</param>
    /// <param name="waits">Whether the server waits for the completion of a request before it uses its context again.</param>
    public CutRace(long round, bool waits)
    {
        _round = round;
        _waits = waits;
        _isHttp2 = new Dice(Rounds.Seed, round, place: 9).Coin();
        _connection = new KestrelConnection(Engine, new DefaultConnectionContext("raced"));
        _request = new HandmadeRequest(_connection, _isHttp2 ? "HTTP/2" : "HTTP/1.1") { Aborted = Aborted };
    }

    /// <summary>It serves on until the sweeps are over, but not for ever when these come late.</summary>
    private const int Most = 400;

    public void Act(int thread)
    {
        var dice = new Dice(Rounds.Seed, _round, thread);
        if (thread == 0)
        {
            Serve(ref dice);
        }
        else if (thread == 1)
        {
            dice.Dawdle(200);
            _connection.Apply(ConnectionEvent.Retire);
            for (var i = 0; i < 4; i++)
            {
                _connection.SweepRequests(Look);
                dice.Dawdle(50);
            }

            Volatile.Write(ref _isSwept, true);
        }
        else
        {
            _connection.Describe([]);
        }
    }

    public void Check(Rounds rounds)
    {
        Unless(_broken is null, _broken!);
        rounds.Saw(_isHttp2 ? 1 : 0, _aborted.Count);
        rounds.Saw(2, _served / 2 > _aborted.Count ? 1 : 0);
        rounds.Saw(3, _waited);
        _connection.Apply(ConnectionEvent.Ended);
        Unless(ConnectionModule.isGone(_connection.Now), "The connection ended and is not gone.");
    }

    private void Serve(ref Dice dice)
    {
        for (var number = 1; number <= Most && !Volatile.Read(ref _isSwept); number++)
        {
            _request.Begin(number, MayBeAbortedAt(number) ? MayBeAborted : MustFinish);
            dice.Dawdle(60);
            var end = _request.EndAsync();
            if (!end.IsCompleted)
            {
                _waited++;
                if (_waits && !end.Wait(Limits.Hang))
                {
                    _broken = "Nobody says that the cut is over.";
                }
            }

            _request.GiveBack();
            _served++;
        }
    }

    private static bool MayBeAbortedAt(int number) => number % 2 == 1;

    private void Aborted(int number)
    {
        if (number == 0)
        {
            _broken = "A context was aborted that no request, or another one, was served on.";
        }
        else if (!MayBeAbortedAt(number))
        {
            _broken = $"Request {number} must finish and was aborted.";
        }
        else if (!_aborted.Add(number))
        {
            _broken = $"Request {number} was aborted twice.";
        }

        // Longer than it takes to begin the next one.
        Thread.SpinWait(30);
    }
}
