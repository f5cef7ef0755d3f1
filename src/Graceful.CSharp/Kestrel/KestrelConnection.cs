using System.Net.Sockets;
using Graceful.Core;
using Graceful.Engine;
using Graceful.Reporting;
using Graceful.Sockets;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Http;

namespace Graceful.Kestrel;

/// <summary>A connection of Kestrel's: how it is told, closed and reset.</summary>
internal sealed class KestrelConnection : TrackedConnection
{
    private const int SwitchingProtocols = 101;

    /// <summary>
    /// When to wake HTTP/2 after its last stream ended, in milliseconds. It sees that it is over only when something
    /// wakes its reader, and the stream is torn down a little after its response was complete. Kestrel's own heartbeat is the last resort.
    /// </summary>
    private static readonly int[] Wakes = [1, 2, 3, 4, 5, 5, 10, 20, 50, 100, 200, 400];

    private readonly ConnectionContext _transport;
    private readonly List<HeldRequestFacts> _streams = [];
    private List<WebSocketStream>? _webSockets;
    private HttpContext? _current;
    private Protocol _protocol;
    private bool _isLookedAt;
    private bool _isUpgradeUse;
    private int _givenUp;

    public KestrelConnection(LifecycleEngine engine, ConnectionContext transport)
        : base(engine, transport.ConnectionId)
    {
        _transport = transport;
        Socket = transport.Features.Get<IConnectionSocketFeature>()?.Socket;
    }

    private enum Protocol
    {
        Unknown,

        /// <summary>One request at a time, and the notice is a header of its response.</summary>
        Http1,

        /// <summary>Many at a time, and the notice is a GOAWAY.</summary>
        Multiplexed,

        /// <summary>One request at a time, and the notice is that the connection ends right behind it.</summary>
        FastCgi,
    }

    /// <summary>How Kestrel lets one connection be closed; set when it takes the connection up.</summary>
    public IConnectionLifetimeNotificationFeature? Lifetime { get; set; }

    /// <summary>What Kestrel's heartbeat calls every second: time-outs, and for HTTP/2 a look at whether it is over.</summary>
    public Action? Tick { get; set; }

    /// <summary>The socket it came by, where the transport has one.</summary>
    public Socket? Socket { get; }

    /// <summary>What stands at the way in, where that can be shut by itself.</summary>
    public LastReader? Reader { get; set; }

    /// <summary>Whether it was closed without a word, nobody is at work on it, and it has one request after the other.</summary>
    public bool IsClosedUntold => _protocol != Protocol.Multiplexed && ConnectionModule.isClosedUntold(Now);

    /// <summary>Whoever waits for the end of its client hears of it, where that is not left to the transport; what he throws is logged.</summary>
    public void SayClosed()
    {
        if (Reader is not null)
        {
            Engine.End(this, static connection => ((KestrelConnection)connection).Reader!.Closed.Cancel());
        }
    }

    /// <summary>What its requests say of their protocol is that between the web server and its client.</summary>
    public void SpeakFastCgi() => _protocol = Protocol.FastCgi;

    /// <summary>A request came by.</summary>
    public void Begin(HttpContext context)
    {
        if (_protocol == Protocol.Unknown)
        {
            _protocol = NoticeHeader.IsHeardBy(context.Request) ? Protocol.Http1 : Protocol.Multiplexed;
        }

        if (IsOneAtATime)
        {
            _current = context;
            Began();
            if (_protocol == Protocol.Http1)
            {
                if (context.Request.Headers.Upgrade.Count > 0)
                {
                    WebSocketUpgrade.OfferUpgrade(this, context);
                }

                context.Response.OnStarting(static connection => ((KestrelConnection)connection).HeadGoesOut(), this);
            }

            context.Response.OnCompleted(static connection => ((KestrelConnection)connection).End(), this);
        }
        else
        {
            lock (Requests)
            {
                _streams.Add(new HeldRequestFacts(Id, context, CoarseClock.Now));
            }

            Began();
            if (HttpMethods.IsConnect(context.Request.Method))
            {
                WebSocketUpgrade.OfferConnect(this, context);
            }

            context.Response.OnCompleted(static stream => EndStream((HttpContext)stream), context);
        }
    }

    private bool IsOneAtATime => _protocol is Protocol.Http1 or Protocol.FastCgi;

    /// <summary>A WebSocket that is spoken on it begins; told at once when the drain has begun.</summary>
    public void Add(WebSocketStream webSocket)
    {
        lock (Requests)
        {
            (_webSockets ??= []).Add(webSocket);
        }

        webSocket.Context.Response.OnCompleted(static one => ((WebSocketStream)one).Ended(), webSocket);

        // The drain says that it begins and then looks who is there; so one of the two finds the other.
        Interlocked.MemoryBarrier();
        if (Engine.IsDraining)
        {
            webSocket.SayGoodbye();
        }
    }

    public void Remove(WebSocketStream webSocket)
    {
        lock (Requests)
        {
            _webSockets!.Remove(webSocket);
        }
    }

    public override void SayGoodbye()
    {
        if (Volatile.Read(ref _webSockets) is null)
        {
            return;
        }

        WebSocketStream[] here;
        lock (Requests)
        {
            here = [.. _webSockets!];
        }

        Array.ForEach(here, static webSocket => webSocket.SayGoodbye());
    }

    /// <summary>A WebSocket was closed by us, or its peer has answered that.</summary>
    public void WebSocketClosed(bool answered) => Engine.Figures.WebSocketClosed(answered);

    public void WebSocketNotClosed(Exception e) => Engine.Say(log => Log.WebSocketNotClosed(log, e, Id));

    public override int RequestsInFlight
    {
        get
        {
            var inFlight = base.RequestsInFlight;
            if (inFlight == 0)
            {
                return 0;
            }

            if (IsOneAtATime)
            {
                return _current is { } current && !new HeldRequestFacts(Id, current, LastEdge).IsCounted ? 0 : inFlight;
            }

            lock (Requests)
            {
                return Math.Max(0, inFlight - _streams.Count(static stream => !stream.IsCounted));
            }
        }
    }

    public override bool IsMultiplexed => _protocol == Protocol.Multiplexed;

    protected override bool HasUse(IdleWatch idle)
    {
        if (_protocol != Protocol.Multiplexed)
        {
            return ConnectionModule.phase(Now).IsHijacked ? _isUpgradeUse : _current is not { } current || HeldRequestFacts.IsUse(current, idle);
        }

        lock (Requests)
        {
            foreach (var stream in _streams)
            {
                if (HeldRequestFacts.IsUse(stream.Context, idle))
                {
                    return true;
                }
            }

            return false;
        }
    }

    protected override bool MayHoldRequests => ConnectionModule.holdsRequest(Now) || Volatile.Read(ref _givenUp) > 0;

    protected override IReadOnlyList<HeldRequestFacts> InFlight()
    {
        if (!IsOneAtATime)
        {
            return _streams;
        }

        // Said before the word is read, and a request that ends steps the word before it looks for this: so whoever is
        // seen in flight here waits at its end until the lock is free.
        Volatile.Write(ref _isLookedAt, true);
        Interlocked.MemoryBarrier();
        return ConnectionModule.holdsRequest(Now) && _current is { } current
            ? [new HeldRequestFacts(Id, current, LastEdge)]
            : [];
    }

    protected override void GiveUp(RequestCut cut)
    {
        if (IsOneAtATime)
        {
            // What was cut off took its connection with it.
            CutOff();
            return;
        }

        lock (Requests)
        {
            var index = IndexOf(cut.Context);
            if (index < 0)
            {
                return;
            }

            _streams.RemoveAt(index);
            _givenUp++;
        }

        Ended(request: null);
    }

    protected override TimeSpan SweepRest(TimeSpan quietPeriod)
    {
        lock (Requests)
        {
            if (_givenUp == 0)
            {
                return TimeSpan.MaxValue;
            }
        }

        var quietFor = QuietFor(out var pending);
        var (verdict, again) = Request.judgeRest(quietPeriod, quietFor, pending, Now);
        if (verdict.IsGiveUp)
        {
            Leave();
        }

        return again;
    }

    // On HTTP/1.1 there is nothing to do now: every response head looks at the word as it goes out. A WebSocket has its own way.
    protected override void AskToClose()
    {
        if (_protocol == Protocol.Multiplexed)
        {
            RequestClose();
            Told();
        }

        SayGoodbye();
    }

    protected override void Close()
    {
        RequestClose();
        if (_protocol == Protocol.Multiplexed)
        {
            _ = WakeUntilGoneAsync();
        }
    }

    protected override void Hasten()
    {
        RequestClose();
        Tick?.Invoke();

        // Half a request head, or half a handshake: whoever waits for the rest now finds that there is none.
        Socket?.UnlessGone(static socket => socket.Shutdown(SocketShutdown.Receive));
    }

    protected override void Reset() => Engine.End(this, static connection => ((KestrelConnection)connection).Abort(
        "The server leaves and its grace period is over."));

    /// <summary>It ends now, and nobody waits for what still runs on it.</summary>
    private void CutOff()
    {
        Engine.End(this, static connection => ((KestrelConnection)connection).Abort(
            "The server leaves, and what is left on the connection was cut off."));
        Apply(ConnectionEvent.Ended);
    }

    private void Abort(string why)
    {
        _transport.Abort(new ConnectionAbortedException(why));
        SayClosed();
    }

    private void RequestClose() =>
        Engine.End(this, static connection => ((KestrelConnection)connection).Lifetime?.RequestClose());

    protected override TimeSpan QuietFor(out bool pending)
    {
        var sinceEdge = base.QuietFor(out pending);
        return Socket is null ? sinceEdge : SocketSilence.Of(Socket, sinceEdge, out pending);
    }

    // Runs on the request's own thread, last of all that is registered for the start of the response.
    private Task HeadGoesOut()
    {
        var response = _current!.Response;
        if (response.StatusCode == SwitchingProtocols)
        {
            _isUpgradeUse = Engine.Idle is { } idle && HeldRequestFacts.IsUse(_current, idle);
            Apply(ConnectionEvent.Hijack);
        }
        else
        {
            NoticeHeader.PutInto(response, this);
        }

        return Task.CompletedTask;
    }

    private Task End()
    {
        Reader?.RequestEnded();

        // In normal life the word alone says so. One that was upgraded has nothing in flight, as far as the word knows.
        var now = Now;
        if (ConnectionModule.isRetiring(now) || ConnectionModule.inFlight(now) == 0)
        {
            return EndWhileLeaving();
        }

        Ended(_current);
        return Volatile.Read(ref _isLookedAt) ? EndUnderTheirEyes() : Task.CompletedTask;
    }

    private Task EndWhileLeaving()
    {
        HeldRequestFacts request;
        RequestCut? cut;
        lock (Requests)
        {
            request = new HeldRequestFacts(Id, _current!, LastEdge);
            cut = TakeCut(_current!);
            _current = null;
        }

        return Finished(request, cut);
    }

    /// <summary>The drain began at this very moment, and a sweep may have seen the request before it ended.</summary>
    private Task EndUnderTheirEyes()
    {
        lock (Requests)
        {
            return TakeCut(_current!) is { } cut && !cut.TryWithdraw() ? cut.Over : Task.CompletedTask;
        }
    }

    private static Task EndStream(HttpContext context)
    {
        var connection = (KestrelConnection)context.Features[typeof(KestrelConnection)]!;
        return connection.EndStreamOf(context);
    }

    private Task EndStreamOf(HttpContext context)
    {
        HeldRequestFacts stream;
        RequestCut? cut;
        lock (Requests)
        {
            cut = TakeCut(context);
            var index = IndexOf(context);
            if (index < 0)
            {
                // It was given up, and as good as ended then.
                _givenUp--;
                return cut!.Over;
            }

            stream = _streams[index];
            _streams.RemoveAt(index);
        }

        return Finished(stream, cut);
    }

    private int IndexOf(HttpContext context)
    {
        for (var index = 0; index < _streams.Count; index++)
        {
            if (ReferenceEquals(_streams[index].Context, context))
            {
                return index;
            }
        }

        return -1;
    }

    private async Task WakeUntilGoneAsync()
    {
        foreach (var wait in Wakes)
        {
            await Task.Delay(wait).ConfigureAwait(false);
            if (ConnectionModule.isGone(Now))
            {
                return;
            }

            Tick?.Invoke();
        }
    }
}
