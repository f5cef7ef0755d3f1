using System.Net;
using System.Runtime;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Hosting.Systemd;
using Microsoft.Extensions.Logging;

namespace Graceful.Tests.Processes;

/// <summary>
/// What this program is when a test starts it as a child: a server with one oddity, its kind. It speaks with the test on
/// its standard output, one word a line, and waits for the test on its standard input.
/// </summary>
internal static class ChildServer
{
    public static async Task<int> RunAsync(string kind, string[] options)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Configuration.AddCommandLine(options);
        builder.Logging.SetMinimumLevel(LogLevel.Warning).AddFilter("Graceful", LogLevel.Information);
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            if (builder.Configuration["socket"] is { } path)
            {
                kestrel.ListenUnixSocket(path, endpoint =>
                {
                    if (builder.Configuration.GetValue<bool>("fastcgi"))
                    {
                        endpoint.UseFastCgi();
                    }
                });
            }
            else
            {
                kestrel.Listen(IPAddress.Loopback, builder.Configuration.GetValue("port", 0));
            }
        });
        if (kind == "watched-certificate")
        {
            builder.WebHost.UseKestrelHttpsConfiguration();
            builder.Logging.AddFilter("Microsoft.AspNetCore.Server.Kestrel", LogLevel.Debug);
        }

        if (kind == "systemd-first")
        {
            builder.Services.AddSingleton<IHostLifetime, SystemdLifetime>();
        }

        builder.AddGraceful(graceful =>
        {
            builder.Configuration.Bind(graceful);
            AddHooks(graceful, kind, builder.Configuration);
        });
        AddServices(builder.Services, kind);
        if (kind == "before-build")
        {
            Say("STARTING");
            await Console.In.ReadLineAsync();
        }

        var app = builder.Build();
        app.MapGet("/", () => "ok");
        app.MapPost("{**any}", (HttpContext context) => context.Request.Body.CopyToAsync(context.Response.Body));
        app.MapGet("/slow", async (int ms, CancellationToken aborted) =>
        {
            if (kind == "blocking-callback")
            {
                app.Services.GetRequiredService<IGraceful>().Stopping.Register(static () => Thread.Sleep(Timeout.Infinite));
            }

            Say("SLOW");
            await Task.Delay(ms, aborted);
            return "ok, at last";
        });
        app.MapGet("/stubborn", async (int ms) =>
        {
            Say("SLOW");
            await Task.Delay(ms, CancellationToken.None);
            return "ok, at last";
        });
        app.MapGet("/told", async (int ms) =>
        {
            Say("SLOW");
            await Task.Delay(ms, CancellationToken.None);
        }).WithDrain(DrainMode.ToldOnly);
        app.MapGet("/blocked", (int ms) =>
        {
            Say("SLOW");
            Thread.Sleep(ms);
            return "ok, at last";
        });
        app.MapGet("/service", async () =>
        {
            Say("SLOW");
            await Task.Delay(700);
            var services = app.Services.GetServices<IHostedService>().OfType<LiveService>().ToList();
            return $"{services.Count(service => service.IsAlive)} of {services.Count} alive";
        });
        app.Lifetime.ApplicationStarted.Register(() => Say($"LISTENING {Port(app)}"));
        if (kind == "stop-after-failed-start")
        {
            try
            {
                await app.StartAsync();
            }
            catch (IOException)
            {
                Say("FAILED");
            }

            await app.StopAsync();
            Say("STOPPED");
            return 7;
        }

        await app.RunAsync();
        Say("ENDED");
        return Environment.ExitCode;
    }

    private static void AddHooks(GracefulOptions graceful, string kind, ConfigurationManager configuration)
    {
        switch (kind)
        {
            case "watched-certificate":
                graceful.UsePem(configuration["cert"]!, configuration["key"]!);
                break;
            case "failing-hook":
                graceful.OnDrained("flush", TimeSpan.FromSeconds(5), (_, _) => throw new InvalidOperationException("disk full"));
                break;
            case "signals":
                graceful.Signals["SIGUSR1"] = SignalAction.Stop;
                graceful.Signals["12"] = SignalAction.StopNow;
                graceful.Signals["hup"] = SignalAction.Call(signal => Say($"REOPENED after {signal}"));
                graceful.Signals["40"] = SignalAction.Call(signal => throw new InvalidOperationException($"no logs for {signal}"));
                graceful.Signals["SIGFOO"] = SignalAction.Stop;
                graceful.Signals.Remove("SIGQUIT");
                break;
            case "collections":
                graceful.OnDrained("look", TimeSpan.FromMinutes(1), async (_, _) =>
                {
                    // Nobody waits for the pause, so it may come a moment late.
                    for (var look = 0; look < 1_000 && graceful.OwnsProcess && GCSettings.LatencyMode != GCLatencyMode.NoGCRegion; look++)
                    {
                        await Task.Delay(10, CancellationToken.None);
                    }

                    Say($"{GCSettings.LatencyMode}");
                });
                break;
            case "stuck-hook":
                graceful.OnDrained("flush", TimeSpan.FromMinutes(1), (_, token) =>
                {
                    Say("FLUSHING");
                    return Task.Delay(Timeout.Infinite, token);
                });
                break;
        }
    }

    private static void AddServices(IServiceCollection services, string kind)
    {
        switch (kind)
        {
            case "systemd":
                services.AddSingleton<IHostLifetime, SystemdLifetime>();
                break;
            case "services":
                // In front of everything that AddGraceful added, and behind it.
                services.Insert(0, ServiceDescriptor.Singleton<IHostedService>(_ => new LiveService(() => Task.CompletedTask)));
                services.AddSingleton<IHostedService>(_ => new LiveService(() => Task.CompletedTask));
                break;
            case "slow-start":
                services.AddSingleton<IHostedService>(_ => new LiveService(async () =>
                {
                    Say("STARTING");
                    await Console.In.ReadLineAsync();
                }));
                break;
            case "stuck-start":
                services.AddSingleton<IHostedService>(_ => new LiveService(() =>
                {
                    Say("STARTING");
                    return Task.Delay(Timeout.Infinite);
                }));
                break;
            case "stuck-stop":
                services.AddSingleton<IHostedService>(_ => new LiveService(() => Task.CompletedTask, () =>
                {
                    Say("STOPPING");
                    return Task.Delay(Timeout.Infinite);
                }));
                break;
        }
    }

    private static void Say(string word)
    {
        Console.Out.WriteLine(word);
        Console.Out.Flush();
    }

    private static int Port(WebApplication app) => BindingAddress.Parse(app.Services.GetRequiredService<IServer>().Features
        .GetRequiredFeature<IServerAddressesFeature>().Addresses.First()).Port;

    private sealed class LiveService(Func<Task> start, Func<Task>? stop = null) : IHostedService
    {
        public bool IsAlive { get; private set; }

        public async Task StartAsync(CancellationToken cancellationToken)
        {
            await start();
            IsAlive = true;
        }

        public async Task StopAsync(CancellationToken cancellationToken)
        {
            IsAlive = false;
            await (stop?.Invoke() ?? Task.CompletedTask);
        }
    }
}
