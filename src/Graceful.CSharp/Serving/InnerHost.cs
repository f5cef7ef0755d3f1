using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Graceful.Serving;

/// <summary>The host that a server builds for one turn: Kestrel, the user's handler, and what AddGraceful adds.</summary>
internal static class InnerHost
{
    /// <param name="loggers">Where it logs; null for nowhere.</param>
    /// <param name="options">The options; the host reads no configuration and no environment.</param>
    /// <param name="kestrel">The endpoints, and whatever else.</param>
    /// <param name="handler">What answers.</param>
    public static WebApplication Build(
        ILoggerFactory? loggers, Action<GracefulOptions> options, Action<KestrelServerOptions> kestrel, RequestDelegate handler)
    {
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().UseKestrelHttpsConfiguration().ConfigureKestrel(kestrel);
        builder.Services.Configure<ConsoleLifetimeOptions>(static console => console.SuppressStatusMessages = true);
        if (loggers is not null)
        {
            builder.Services.AddSingleton(loggers);
        }

        // No signal is owned but those that somebody chooses.
        builder.Services.AddGraceful(
            graceful =>
            {
                graceful.OwnsProcess = false;
                graceful.NotifyServiceManager = false;
                graceful.Signals.Clear();
                options(graceful);
            },
            ownedAtOnce: []);
        var app = builder.Build();
        app.Run(handler);
        return app;
    }
}
