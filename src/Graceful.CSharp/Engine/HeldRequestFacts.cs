using Graceful.Core;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Routing;
using Microsoft.FSharp.Core;

namespace Graceful.Engine;

/// <summary>A request in flight, before anybody needed a text of it.</summary>
/// <param name="ConnectionId">The connection it came on.</param>
/// <param name="Context">Its context; it belongs to another thread and may be reset under our eyes.</param>
/// <param name="Since">When it began, by the coarse clock.</param>
internal readonly record struct HeldRequestFacts(string ConnectionId, HttpContext Context, long Since)
{
    public TimeSpan Age => CoarseClock.Since(Since);

    /// <summary>What its endpoint says of it. Without an endpoint, or when that can't be told, it must finish.</summary>
    public DrainPolicy Policy => PolicyOf(Context);

    /// <summary>What its endpoint says of a request; nothing where there is no endpoint, or it says nothing, or that can't be told.</summary>
    public static FSharpValueOption<DrainPolicy> SaidOf(HttpContext context)
    {
        try
        {
            // By its type and not through Get, which is generic and virtual: the runtime looks such a call up each time.
            return (context.Features[typeof(IEndpointFeature)] as IEndpointFeature)?.Endpoint?.Metadata.GetMetadata<DrainAttribute>()?.Policy is { } said
                ? FSharpValueOption<DrainPolicy>.NewValueSome(said)
                : FSharpValueOption<DrainPolicy>.ValueNone;
        }
#pragma warning disable CA1031 // As in a text: it may have been reset under our eyes.
        catch (Exception)
#pragma warning restore CA1031
        {
            return FSharpValueOption<DrainPolicy>.ValueNone;
        }
    }

    /// <summary>Whether it is anything that keeps the server busy.</summary>
    public bool IsCounted => Core.Request.isCounted(Policy);

    /// <summary>Whether a request keeps a server with an idle limit.</summary>
    public static bool IsUse(HttpContext context, IdleWatch idle) =>
        Use.counts(idle.HijackedIsBusy, !idle.HijackedIsBusy && IsTunnel(context), PolicyOf(context));

    public HeldRequest ToHeld()
    {
        try
        {
            return new HeldRequest(ConnectionId, Context.Request.Method, Context.Request.Path.Value ?? "/", Age)
            {
                Route = (Context.GetEndpoint() as RouteEndpoint)?.RoutePattern.RawText,
            };
        }
#pragma warning disable CA1031 // Whatever state the other thread has left the context in, a report can bear not to know.
        catch (Exception)
#pragma warning restore CA1031
        {
            // It ended between two of our reads. A report can bear that.
            return new HeldRequest(ConnectionId, "?", "?", Age);
        }
    }

    /// <summary>A WebSocket on HTTP/2 is a request that lasts; on HTTP/1.1 its connection is hijacked.</summary>
    private static bool IsTunnel(HttpContext context)
    {
        try
        {
            return context.Features[typeof(IHttpExtendedConnectFeature)] is IHttpExtendedConnectFeature { IsExtendedConnect: true };
        }
#pragma warning disable CA1031 // As in a text: it may have been reset under our eyes.
        catch (Exception)
#pragma warning restore CA1031
        {
            return false;
        }
    }

    private static DrainPolicy PolicyOf(HttpContext context) => SaidOf(context) is { IsSome: true } said ? said.Value : DrainPolicy.MustFinish;
}
