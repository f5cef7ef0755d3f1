using Graceful.Core;
using Graceful.Engine;
using Microsoft.AspNetCore.Http;

namespace Graceful.Kestrel;

/// <summary>
/// A request of a server that keeps its connections to itself (TestServer, HTTP.sys): to us each is a connection that
/// serves once and is gone.
/// </summary>
internal sealed class LoneRequest : TrackedConnection
{
    private readonly HttpContext _context;
    private readonly long _since = CoarseClock.Now;
    private bool _hasEnded;

    private LoneRequest(LifecycleEngine engine, HttpContext context)
        : base(engine, context.Connection.Id ?? context.TraceIdentifier) => _context = context;

    public override int RequestsInFlight => Facts.IsCounted ? base.RequestsInFlight : 0;

    /// <returns>False when nobody is let in any more.</returns>
    public static bool TryBegin(LifecycleEngine engine, HttpContext context)
    {
        var request = new LoneRequest(engine, context);
        if (!request.TryEnter())
        {
            return false;
        }

        request.Began();
        if (NoticeHeader.IsHeardBy(context.Request))
        {
            context.Response.OnStarting(static state => ((LoneRequest)state).HeadGoesOut(), request);
        }

        context.Response.OnCompleted(static state => ((LoneRequest)state).End(), request);
        return true;
    }

    protected override bool HasUse(IdleWatch idle) => HeldRequestFacts.IsUse(_context, idle);

    protected override IReadOnlyList<HeldRequestFacts> InFlight() => _hasEnded ? [] : [Facts];

    protected override void GiveUp(RequestCut cut) => Apply(ConnectionEvent.Ended);

    protected override void AskToClose()
    {
    }

    protected override void Close()
    {
    }

    protected override void Hasten()
    {
    }

    protected override void Reset() => Engine.End(this, static request => ((LoneRequest)request).Abort());

    private void Abort()
    {
        try
        {
            _context.Abort();
        }
        catch (Exception e) when (e is ObjectDisposedException or NullReferenceException)
        {
            // It ended by itself just now.
        }
    }

    private HeldRequestFacts Facts => new(Id, _context, _since);

    // Its client may well send more on the connection that we do not know: the server below closes it for this header.
    private Task HeadGoesOut()
    {
        if (_context.Response.StatusCode != StatusCodes.Status101SwitchingProtocols)
        {
            NoticeHeader.PutInto(_context.Response, this);
        }

        return Task.CompletedTask;
    }

    private async Task End()
    {
        RequestCut? cut;
        lock (Requests)
        {
            _hasEnded = true;
            cut = TakeCut(_context);
        }

        await Finished(Facts, cut).ConfigureAwait(false);
        Apply(ConnectionEvent.Ended);
    }
}
