using Graceful.Engine;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;

namespace Graceful.Kestrel;

/// <summary>
/// The outermost middleware: a request begins when it comes by and ends when its response is complete. No allocation,
/// and no state but its own connection's.
/// </summary>
internal sealed class RequestTracking(LifecycleEngine engine) : IStartupFilter
{
    public Action<IApplicationBuilder> Configure(Action<IApplicationBuilder> next) => app =>
    {
        app.Use(Track);
        next(app);
    };

    private RequestDelegate Track(RequestDelegate next) => context =>
    {
        // By its type and not through Get, which is generic and virtual: the runtime looks such a call up each time.
        if (context.Features[typeof(KestrelConnection)] is KestrelConnection connection)
        {
            connection.Begin(context);
        }
        else if (!LoneRequest.TryBegin(engine, context))
        {
            context.Response.StatusCode = StatusCodes.Status503ServiceUnavailable;
            return Task.CompletedTask;
        }

        return next(context);
    };
}
