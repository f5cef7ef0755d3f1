using System.Net;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace Graceful.Takeover;

/// <summary>One of the two servers: HTTP/2 without TLS, on a port of its own, as a process of its own. Health has a port too, of HTTP/1.1.</summary>
internal static class Server
{
    /// <summary>Long enough for the proxy to notice, three of its checks and more.</summary>
    private static readonly TimeSpan LameDuck = TimeSpan.FromSeconds(1);

    public static void Run(int port, int healthPort, bool plain)
    {
        var builder = WebApplication.CreateSlimBuilder();

        // That the readiness check fails is the plan, ten times a second.
        builder.Logging.SetMinimumLevel(LogLevel.Warning).AddFilter("Microsoft.Extensions.Diagnostics.HealthChecks", LogLevel.None);
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            kestrel.Listen(IPAddress.Loopback, port, endpoint => endpoint.Protocols = HttpProtocols.Http2);
            kestrel.Listen(IPAddress.Loopback, healthPort, endpoint => endpoint.Protocols = HttpProtocols.Http1);
        });
        if (!plain)
        {
            builder.AddGraceful(options => options.LameDuck = LameDuck);
        }

        var app = builder.Build();
        if (plain)
        {
            app.MapGet("/health/ready", () => "Healthy");
        }
        else
        {
            app.MapGracefulHealth();
        }

        app.MapGet("/", () => "ok");
        app.MapPost("/", async (HttpRequest request) =>
        {
            using var all = new MemoryStream();
            await request.Body.CopyToAsync(all);
            return $"{all.Length} bytes";
        });
        app.MapGet("/slow", async (int ms, CancellationToken aborted) =>
        {
            await Task.Delay(ms, aborted);
            return "ok, at last";
        });
        app.Run();
    }
}
