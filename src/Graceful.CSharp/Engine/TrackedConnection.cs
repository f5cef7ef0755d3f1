using Graceful.Core;
using Microsoft.AspNetCore.Http;

namespace Graceful.Engine;

/// <summary>
/// A connection in the table: its word, and how the world obeys what the word orders. The core decides; the kinds of
/// connection below differ only in how they tell, close and reset.
/// </summary>
internal abstract class TrackedConnection(LifecycleEngine engine, string id)
{
    // Each is rare, so requests look at this alone.
    private readonly bool _isWatched = engine.StateHandler is not null || engine.Recorder is not null || engine.Idle is not null;
    private ConnectionCell _cell;
    private List<RequestCut>? _cuts;
    private bool _told;
    private volatile bool _isNoticePutOff;

    public string Id { get; } = id;

    /// <summary>Whether it carries many requests at a time, so that its client is told beside them and not with one of them.</summary>
    public virtual bool IsMultiplexed => false;

    /// <summary>How many requests are in flight, without those that do not count.</summary>
    public virtual int RequestsInFlight => ConnectionModule.inFlight(_cell.Now);

    protected LifecycleEngine Engine { get; } = engine;

    /// <summary>Which requests are in flight, and which of them are being cut off, is decided while this is held.</summary>
    protected Lock Requests { get; } = new();

    /// <summary>Of a raw connection, whether something else than its marks tells since when it has been silent.</summary>
    protected bool IsSilenceKnown { get; init; }

    /// <summary>By the coarse clock, when this connection last became busy or, unless its silence is known, idle.</summary>
    protected long LastEdge => _cell.LastEdge;

    public Connection Now => _cell.Now;

    /// <summary>What it is doing.</summary>
    public ConnectionPhase Phase => (ConnectionPhase)ConnectionModule.phase(_cell.Now).Tag;

    /// <summary>Whether it keeps a server with an idle limit from being idle.</summary>
    public bool IsBusyFor(IdleWatch idle) => Use.isBusy(idle.HijackedIsBusy, HasUse(idle), _cell.Now);

    /// <summary>When it was last seen in use, where there is an idle limit; the beginning of time when it never was.</summary>
    public Instant LastUse => _cell.LastUse;

    /// <summary>What a record calls it; 0 as long as no record knows it. The recorder's own.</summary>
    public int RecordNumber { get; set; }

    /// <summary>When it is to be told, by the engine's clock; 0 as long as nobody asked. Belongs to <see cref="Engine.Notices"/>.</summary>
    public long NoticeDue { get; set; }

    /// <summary>Whether it waits for that moment. Belongs to <see cref="Engine.Notices"/>; read by everybody.</summary>
    public bool IsNoticePutOff
    {
        get => _isNoticePutOff;
        set => _isNoticePutOff = value;
    }

    /// <summary>Whether the response head that is about to go out must carry the notice.</summary>
    public bool MustTell => ConnectionModule.mustTell(_cell.Now);

    /// <summary>Registers, then enters: in the other order somebody could be inside and miss the notice.</summary>
    /// <returns>False when the gate is shut; the connection is out of the table again.</returns>
    public bool TryEnter()
    {
        _cell.StampEdge();
        Engine.Table.Add(this);
        switch (Engine.StepGate(GateEvent.Enter))
        {
            case GateEffect.Tags.Admit:
                return true;
            case GateEffect.Tags.AdmitRetiring:
                Apply(ConnectionEvent.Retire);
                return true;
            default:
                Engine.Table.Remove(this);
                Engine.Figures.Refused();
                return false;
        }
    }

    /// <summary>Applies an event and obeys what it orders. Any thread.</summary>
    /// <param name="happened">The event.</param>
    /// <param name="ending">Of the end of a request, its context, where there is one.</param>
    /// <returns>What was ordered, one of <see cref="ConnectionEffect.Tags"/>.</returns>
    public int Apply(ConnectionEvent happened, HttpContext? ending = null) =>
        Obey(_isWatched ? StepWatched(happened, ending) : _cell.Step(happened));

    /// <summary>Somebody works on this raw connection: a level, not a count.</summary>
    /// <returns>Whether somebody waits for the work; false when the connection was closed before.</returns>
    public bool MarkInUse()
    {
        var effect = _isWatched ? StepWatched(ConnectionEvent.MarkInUse, ending: null) : _cell.Step(ConnectionEvent.MarkInUse);
        if (effect == ConnectionEffect.Tags.BecameActive)
        {
            _cell.StampEdge();
            return true;
        }

        return ConnectionModule.isHeard(_cell.Now);
    }

    /// <summary>Nobody works on this raw connection any more; said again, it is no edge. Where the silence is known that says since when.</summary>
    public void MarkIdle()
    {
        // Both first: whoever sees the connection idle sees since when, and the report is made when the last one has left.
        var now = _cell.Now;
        if (ConnectionModule.inFlight(now) > 0)
        {
            if (ConnectionModule.isRetiring(now))
            {
                FinishHeld();
            }

            if (!IsSilenceKnown)
            {
                _cell.StampEdge();
            }
        }

        var effect = _isWatched ? StepWatched(ConnectionEvent.MarkIdle, ending: null) : _cell.Step(ConnectionEvent.MarkIdle);
        if (effect != ConnectionEffect.Tags.BecameIdle)
        {
            Obey(effect);
        }
    }

    public void Began()
    {
        _cell.StampEdge();
        Apply(ConnectionEvent.Begin);
    }

    public void Finished(in HeldRequestFacts request)
    {
        if (ConnectionModule.isRetiring(_cell.Now))
        {
            if (request.IsCounted)
            {
                Engine.Figures.Finished(request);
            }

            Engine.Recorder?.Ended(this, request);
        }

        Ended(request.Context);
    }

    /// <summary>The notice is on its way to the client.</summary>
    public void Told()
    {
        _told = true;
        Apply(ConnectionEvent.Tell);
    }

    /// <summary>The moment to tell it has come. Any thread.</summary>
    public void TellIfAwaited()
    {
        if (ConnectionModule.awaitsNotice(_cell.Now))
        {
            Engine.End(this, static connection => connection.AskToClose());
        }
    }

    /// <summary>Does what the core says of a connection that has been quiet for so long.</summary>
    /// <returns>How soon it wants to be looked at again.</returns>
    public TimeSpan Sweep(TimeSpan quietPeriod)
    {
        var quietFor = QuietFor(out var pending);
        var (verdict, again) = ConnectionModule.judge(quietPeriod, quietFor, pending, _cell.Now);
        switch (verdict.Tag)
        {
            case Verdict.Tags.RetireFirst:
                Apply(ConnectionEvent.Retire);
                return Sweep(quietPeriod);
            case Verdict.Tags.ReapNow:
                Apply(ConnectionEvent.Reap);
                break;
            case Verdict.Tags.Hasten:
                Hasten();
                break;
            case Verdict.Tags.LeaveAlone:
                break;
        }

        return again;
    }

    /// <summary>
    /// A protocol that knows a farewell says it now: the drain has begun, or its moment in the lame duck has come. Also on the mailbox, so it must
    /// not wait; more than once is as good as once.
    /// </summary>
    public virtual void SayGoodbye()
    {
    }

    /// <summary>What the drain waits for on a connection that has no requests; null when that is nothing.</summary>
    public HeldWork? Held =>
        IsHeld ? new HeldWork($"connection {Name}", CoarseClock.Since(LastEdge)) : null;

    /// <summary>Whether what happens on it is requests, which then speak for it; otherwise whoever is at work on it holds it himself.</summary>
    protected virtual bool HasRequests => true;

    /// <summary>What a report calls it.</summary>
    protected virtual string Name => Id;

    private bool IsHeld => !HasRequests && ConnectionModule.isInUse(Now);

    /// <summary>
    /// The requests in flight, for the report, without those that were let go. Reads what other threads write, so it may be a moment out
    /// of date.
    /// </summary>
    public virtual void Describe(ICollection<HeldRequest> into)
    {
        lock (Requests)
        {
            foreach (var request in InFlight())
            {
                if (FindCut(request.Context) is null)
                {
                    into.Add(request.ToHeld());
                }
            }
        }
    }

    /// <summary>Whether the drain waits for a request on its own account, so that others have time as well.</summary>
    public bool MustFinish(TimeSpan drainingFor)
    {
        if (IsHeld && Request.mustFinish(drainingFor, DrainPolicy.MustFinish))
        {
            return true;
        }

        if (!MayHoldRequests)
        {
            return false;
        }

        lock (Requests)
        {
            foreach (var request in InFlight())
            {
                if (FindCut(request.Context) is null && Request.mustFinish(drainingFor, request.Policy))
                {
                    return true;
                }
            }

            return false;
        }
    }

    /// <summary>Does what the core says of each request in flight. Only when everybody retires.</summary>
    /// <returns>How soon one of them wants to be looked at again.</returns>
    public TimeSpan SweepRequests(in DrainLook look)
    {
        if (!MayHoldRequests)
        {
            return TimeSpan.MaxValue;
        }

        var again = TimeSpan.MaxValue;
        List<RequestCut>? ordered = null;
        List<RequestCut>? givenUp = null;
        lock (Requests)
        {
            foreach (var request in InFlight())
            {
                var cut = FindCut(request.Context);
                var (verdict, wait) = cut is null ? look.Judge(request) : look.Judge(cut);
                if (verdict.IsCutOff)
                {
                    cut = new RequestCut(Engine, this, request, look.Now);
                    (_cuts ??= []).Add(cut);
                    (ordered ??= []).Add(cut);
                }
                else if (verdict.IsGiveUp)
                {
                    (givenUp ??= []).Add(cut!);
                }

                again = wait < again ? wait : again;
            }
        }

        ordered?.ForEach(cut => Engine.End(this, _ => cut.CarryOut()));
        givenUp?.ForEach(cut =>
        {
            // Nobody had time yet to cut off one that has not begun: it is looked at again.
            if (cut.HasBegun)
            {
                Engine.Figures.GaveUp();
                GiveUp(cut);
            }
        });

        var rest = SweepRest(look.QuietPeriod);
        return rest < again ? rest : again;
    }

    /// <summary>Whether a look at its requests may find one; most of thousands have none, and are passed by.</summary>
    protected virtual bool MayHoldRequests => true;

    /// <summary>Whether a request in flight, or the one that it was upgraded by, counts; so does whoever has no requests.</summary>
    protected virtual bool HasUse(IdleWatch idle) => true;

    /// <summary>The end of a request, as it is told.</summary>
    protected void Ended(HttpContext? request)
    {
        // Stamped first: whoever sees the connection idle sees since when.
        _cell.StampEdge();
        Apply(ConnectionEvent.End, request);
    }

    /// <summary>The end of a request that may have been about to be cut off.</summary>
    /// <returns>Completes when nobody needs its context any more.</returns>
    protected Task Finished(in HeldRequestFacts request, RequestCut? cut)
    {
        if (cut is null || cut.TryWithdraw())
        {
            Finished(request);
            return Task.CompletedTask;
        }

        return EndAfterAsync(cut);
    }

    /// <summary>Call under <see cref="Requests"/>, when the request is no more among those in flight.</summary>
    /// <returns>What is about to cut it off, or does.</returns>
    protected RequestCut? TakeCut(HttpContext context)
    {
        var cut = FindCut(context);
        if (cut is not null)
        {
            _cuts!.Remove(cut);
        }

        return cut;
    }

    /// <summary>
    /// The requests in flight, where they are known. Called under <see cref="Requests"/>, and until that is let go no context of
    /// theirs may become another request's.
    /// </summary>
    protected virtual IReadOnlyList<HeldRequestFacts> InFlight() => [];

    /// <summary>What the drain waits for on a connection that has no requests ends: call it before it does.</summary>
    protected void FinishHeld()
    {
        if (ConnectionModule.isRetiring(_cell.Now) && Held is { } work)
        {
            Engine.Figures.Finished(work);
        }
    }

    /// <summary>A request was cut off, and goes on all the same: from now on it is as if it had ended.</summary>
    protected virtual void GiveUp(RequestCut cut)
    {
    }

    /// <summary>A look at what requests that were given up keep from ending by itself.</summary>
    /// <returns>How soon it wants to be looked at again.</returns>
    protected virtual TimeSpan SweepRest(TimeSpan quietPeriod) => TimeSpan.MaxValue;

    /// <summary>For how long nothing has travelled either way, and whether bytes still wait to be sent.</summary>
    protected virtual TimeSpan QuietFor(out bool pending)
    {
        pending = false;
        return CoarseClock.Since(_cell.LastEdge);
    }

    /// <summary>Its last order: out of the table, and out of the gate.</summary>
    protected virtual void Leave() => Engine.Leave(this);

    /// <summary>See that the next response head, or a GOAWAY, tells the client; then call <see cref="Told"/>.</summary>
    protected abstract void AskToClose();

    /// <summary>Let it end after what was written.</summary>
    protected abstract void Close();

    /// <summary>It was closed and still is here, waiting for bytes that do not come.</summary>
    protected abstract void Hasten();

    /// <summary>End it now.</summary>
    protected abstract void Reset();

    /// <summary>Call under <see cref="Requests"/>.</summary>
    private RequestCut? FindCut(HttpContext context)
    {
        if (_cuts is not null)
        {
            foreach (var cut in _cuts)
            {
                if (ReferenceEquals(cut.Context, context))
                {
                    return cut;
                }
            }
        }

        return null;
    }

    private int Obey(int effect)
    {
        switch (effect)
        {
            case ConnectionEffect.Tags.AskToClose:
                if (!Spread.isSpread(IsMultiplexed, ConnectionModule.phase(_cell.Now)) || Engine.Notices.IsDue(this))
                {
                    AskToClose();
                }

                break;
            case ConnectionEffect.Tags.Close:
                Engine.Figures.Closed(_told);
                Close();
                break;
            case ConnectionEffect.Tags.Reset:
                Engine.Figures.Aborted();
                Reset();
                break;
            case ConnectionEffect.Tags.LeaveGate:
                Leave();
                break;
            case ConnectionEffect.Tags.Nothing:
            case ConnectionEffect.Tags.BecameActive:
            case ConnectionEffect.Tags.BecameIdle:
            case ConnectionEffect.Tags.BecameHijacked:
                break;
        }

        return effect;
    }

    private async Task EndAfterAsync(RequestCut cut)
    {
        await cut.Over.ConfigureAwait(false);
        Ended(request: null);
    }

    private int StepWatched(ConnectionEvent happened, HttpContext? ending)
    {
        if (Engine.Idle is { } idle && Use.mayEnd(happened)
            && Use.isUse(idle.HijackedIsBusy, ending is null ? HasUse(idle) : HeldRequestFacts.IsUse(ending, idle), _cell.Now))
        {
            // Stamped first: whoever sees that this use has ended sees when.
            _cell.StampUse(idle.Now);
        }

        var effect = Engine.Recorder is { } recorder
            ? recorder.Step(this, ref _cell, happened, out var from, out var to)
            : _cell.Step(happened, out from, out to);
        var before = (ConnectionPhase)ConnectionModule.phase(from).Tag;
        var after = (ConnectionPhase)ConnectionModule.phase(to).Tag;
        if (before != after && Engine.StateHandler is { } observer)
        {
            Engine.Observe(observer, Id, before, after);
        }

        return effect.Tag;
    }
}
