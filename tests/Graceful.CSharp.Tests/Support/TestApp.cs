using System.Net;
using Graceful.Core;
using Graceful.Engine;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Graceful.Tests.Support;

/// <summary>A real application on loopback, with the endpoints that the tests need, and its log.</summary>
internal sealed class TestApp : IAsyncDisposable
{
    private readonly WebApplication _app;

    private TestApp(WebApplication app, LogBook log, Door door)
    {
        _app = app;
        Log = log;
        Door = door;
    }

    public LogBook Log { get; }

    /// <summary>Where <c>/door</c>, <c>/late</c> and their like wait.</summary>
    public Door Door { get; }

    public IServiceProvider Services => _app.Services;

    public IGraceful Graceful => _app.Services.GetRequiredService<IGraceful>();

    public LifecycleEngine Engine => _app.Services.GetRequiredService<LifecycleEngine>();

    public int Port => Ports[0];

    public IReadOnlyList<int> Ports => [.. _app.Services.GetRequiredService<IServer>().Features.GetRequiredFeature<IServerAddressesFeature>()
        .Addresses.Where(address => !address.Contains("unix:", StringComparison.Ordinal)).Select(address => BindingAddress.Parse(address).Port)];

    public IHostApplicationLifetime Lifetime => _app.Lifetime;

    public WebApplication Host => _app;

    /// <summary>Starts an app on a port of its own.</summary>
    /// <param name="graceful">The options of Graceful.</param>
    /// <param name="listen">The endpoint.</param>
    /// <param name="build">More for the builder, before AddGraceful.</param>
    /// <param name="map">More endpoints.</param>
    /// <param name="plain">Without Graceful.</param>
    public static async Task<TestApp> StartAsync(
        Action<GracefulOptions>? graceful = null,
        Action<ListenOptions>? listen = null,
        Action<WebApplicationBuilder>? build = null,
        Action<WebApplication>? map = null,
        bool plain = false)
    {
        var app = Make(graceful, listen, build, map, plain);
        await app._app.StartAsync().Soon("The start");
        return app;
    }

    public static TestApp Make(
        Action<GracefulOptions>? graceful = null,
        Action<ListenOptions>? listen = null,
        Action<WebApplicationBuilder>? build = null,
        Action<WebApplication>? map = null,
        bool plain = false)
    {
        var builder = WebApplication.CreateSlimBuilder();
        var log = new LogBook();
        builder.Logging.ClearProviders().AddProvider(log).SetMinimumLevel(LogLevel.Debug);
        builder.WebHost.UseKestrelHttpsConfiguration();
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            kestrel.Listen(IPAddress.Loopback, 0, endpoint => listen?.Invoke(endpoint));
        });
        build?.Invoke(builder);
        if (!plain)
        {
            builder.AddGraceful(graceful);
        }

        var app = builder.Build();
        var door = new Door();
        map?.Invoke(app);
        MapEndpoints(app, door);
        return new TestApp(app, log, door);
    }

    public async Task<ShutdownReport> LeaveAsync()
    {
        Graceful.Close();
        return await Graceful.Completion.Soon("The end of the way out");
    }

    /// <summary>Asks for the stop, and waits until the listeners are closed and connections are being drained.</summary>
    public async Task BeginDrainAsync()
    {
        Graceful.Close();
        await UntilTellingAsync("Draining");
    }

    /// <summary>Asks for the stop of an app with a lame duck, and waits until that has begun and everybody is to be told.</summary>
    public async Task BeginLameDuckAsync()
    {
        Graceful.Close();
        await UntilTellingAsync("LameDuck");
    }

    /// <summary>Waits until a stage has begun and everybody is to be told.</summary>
    public async Task UntilTellingAsync(string stage)
    {
        await Log.Until($"to {stage} after");
        await AllRetireAsync();
    }

    public Task<ShutdownReport> ReportAsync() => Graceful.Completion.Soon("The end of the way out");

    public async ValueTask DisposeAsync()
    {
        Door.Open();
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(3));
        try
        {
            await _app.StopAsync(limit.Token).Soon("The stop of the host");
        }
        catch (ObjectDisposedException)
        {
            // RunAsync disposes the host by itself.
        }

        await _app.DisposeAsync().AsTask().Soon("The disposal of the host");
    }

    // The edge is logged before its orders are carried out.
    private Task AllRetireAsync()
    {
        var table = Engine.Table;
        return Limits.Until(AllRetire, "every connection retires");

        bool AllRetire()
        {
            foreach (var (connection, _) in table)
            {
                if (!ConnectionModule.isRetiring(connection.Now))
                {
                    return false;
                }
            }

            return true;
        }
    }

    private static void MapEndpoints(WebApplication app, Door door)
    {
        app.MapGet("/", () => "ok");
        app.MapGet("/door", async () =>
        {
            await door.PassAsync();
            return "ok, at last";
        });
        app.MapGet("/slow", async (int ms, CancellationToken aborted) =>
        {
            await Task.Delay(ms, aborted);
            return "ok, at last";
        });
        app.MapGet("/late", async (HttpResponse response) =>
        {
            await response.WriteAsync("first,");
            await response.Body.FlushAsync();
            await door.PassAsync();
            await response.WriteAsync("second");
        });
        app.MapGet("/big", async (int mib, HttpResponse response) =>
        {
            response.ContentLength = (long)mib << 20;
            var chunk = new byte[1 << 16];
            for (var sent = 0; sent < mib << 20; sent += chunk.Length)
            {
                await response.Body.WriteAsync(chunk);
            }
        });
        app.MapPost("/upload", async (HttpRequest request) =>
        {
            using var all = new MemoryStream();
            await request.Body.CopyToAsync(all);
            return $"{all.Length} bytes";
        });
        app.MapGet("/throw", string () => throw new InvalidOperationException("as planned"));
        app.MapGet("/upgrade", async (HttpContext context) =>
        {
            var stream = await context.Features.GetRequiredFeature<IHttpUpgradeFeature>().UpgradeAsync();
            var buffer = new byte[100];
            for (var got = await stream.ReadAsync(buffer); got > 0; got = await stream.ReadAsync(buffer))
            {
                await stream.WriteAsync(buffer.AsMemory(0, got));
            }
        });
    }
}
