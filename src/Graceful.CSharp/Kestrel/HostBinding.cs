using Graceful.Core;
using Graceful.Engine;
using Graceful.FastCgi;
using Graceful.Hubs;
using Graceful.Posix;
using Graceful.Reporting;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Graceful.Kestrel;

/// <summary>
/// Ties the engine to the host. The drain is awaited in <see cref="StoppingAsync"/>, which the host completes before it
/// stops any service: so Kestrel's heartbeat and every service that a request needs still live.
/// </summary>
internal sealed class HostBinding(
    LifecycleEngine engine,
    SignalSource signals,
    IHostApplicationLifetime application,
    IEnumerable<IConnectionListenerFactory> transports,
    IServiceProvider services,
    ILoggerFactory loggers) : HostedPart
{
    /// <summary>The start and the first requests have enough that runs for the first time: the rehearsal comes after them.</summary>
    private static readonly TimeSpan RehearsalDelay = TimeSpan.FromSeconds(1);

    /// <summary>
    /// How often it goes the way out with a crowd: the runtime counts the calls of what it compiled quickly, then of what it compiled to learn how it is
    /// used, and between the two it waits for a while in which nothing is new.
    /// </summary>
    private const int CrowdedRehearsals = 3;

    private static readonly TimeSpan RehearsalPause = TimeSpan.FromMilliseconds(400);

    /// <summary>What the runtime has compiled it has compiled for all servers of the process.</summary>
    private static int _rehearsed;

    private readonly Dictionary<BackgroundService, ComponentGuard> _guards = [];

    public override Task StartingAsync(CancellationToken cancellationToken)
    {
        signals.Attach(engine, services.GetRequiredService<IOptions<GracefulOptions>>().Value.Signals);
        signals.OwnChosen();

        // The host may only be stopped once it has started: before that a stop tears its start apart.
        application.ApplicationStarted.Register(() =>
        {
            engine.StartHooksAfter(application.ApplicationStopping.WaitHandle);
            engine.HostStop.Register(application.StopApplication);
            engine.StartedUp();
            if (services.GetService<HubConnections>() is { } hubs)
            {
                // The last one to register is the first to be called: before SignalR, which has registered when its hubs were mapped.
                application.ApplicationStopping.Register(() => hubs.SayGoodbye().Wait(HubConnections.GoodbyeLimit));
            }

            if (Interlocked.Exchange(ref _rehearsed, 1) == 0)
            {
                _ = RehearseAsync();
            }
        });
        _ = LeaveAStuckStartAsync();
        return Task.CompletedTask;
    }

    public override Task StartedAsync(CancellationToken cancellationToken)
    {
        GuardServices();
        if (services.GetService<FastCgiServer>() is { Endpoints.Count: > 0, Application: null })
        {
            throw new InvalidOperationException("The endpoints that speak FastCGI have no application: call UseKestrel before AddGraceful, not after it.");
        }

        if (transports.FirstOrDefault(transport => transport is not TrackedListenerFactory) is { } foreign)
        {
            Log.ConnectionsUntracked(loggers.CreateLogger(Log.Category), foreign.GetType().Name);
        }
        else if (Server is { } server && server.GetType().Assembly != KestrelAssembly)
        {
            Log.ConnectionsUntracked(loggers.CreateLogger(Log.Category), server.GetType().Name);
        }

        return Task.CompletedTask;
    }

    public override async Task StoppingAsync(CancellationToken cancellationToken)
    {
        // Where the start failed there is nothing more to come that would have to be waited for.
        engine.StartedUp();

        // The host stops for a service that failed as well, and may be here before the news of that.
        GuardServices();
        foreach (var guard in _guards.Values)
        {
            guard.Hear();
        }

        engine.Stop(Trigger.HostStopped);
        ShutdownReport report;
        await using (cancellationToken.Register(() => engine.Post(Event.NewForceRequested(ForceCause.HostTimedOut))))
        {
            report = await engine.Exited.ConfigureAwait(false);
        }

        if ((report.ConnectionsAborted > 0 || engine.Figures.HaveGivenUp) && Server is { } server
            && server.GetType().Assembly == KestrelAssembly)
        {
            // Kestrel would wait for requests that ignore their abort as long as the host lets it. Stopped with a
            // cancelled token it gives them one second, and the host's own stop joins this one.
            _ = server.StopAsync(new CancellationToken(canceled: true));
        }
    }

    public override async Task StoppedAsync(CancellationToken cancellationToken)
    {
        await engine.Reported.ConfigureAwait(false);
        // By now Kestrel has stopped, and what became of those that were aborted is known too.
        await engine.FlushRecordAsync().ConfigureAwait(false);
    }

    private static System.Reflection.Assembly KestrelAssembly =>
        typeof(Microsoft.AspNetCore.Server.Kestrel.Core.KestrelServerOptions).Assembly;

    private IServer? Server => services.GetService<IServer>() is var server && server is ApplicationCapture capture ? capture.Kestrel : server;

    private void GuardServices()
    {
        var behavior = services.GetService<IOptions<HostOptions>>()?.Value.BackgroundServiceExceptionBehavior;
        if (behavior != BackgroundServiceExceptionBehavior.StopHost)
        {
            return;
        }

        foreach (var service in services.GetServices<IHostedService>().OfType<BackgroundService>())
        {
            if (service.ExecuteTask is { } run && !_guards.ContainsKey(service))
            {
                var guard = new ComponentGuard(engine, service.GetType().Name, run, mustNotEnd: true);
                _guards.Add(service, guard);
                guard.Watch();
            }
        }
    }

    private async Task RehearseAsync()
    {
        try
        {
            await Task.Delay(RehearsalDelay, engine.Stopping).ConfigureAwait(false);
            await Rehearsal.RunAsync(idle: 1, busy: 2).ConfigureAwait(false);

            // It takes half a second of a processor, which is worth it where there are many to end.
            await engine.Crowded.ConfigureAwait(false);
            for (var time = 0; time < CrowdedRehearsals; time++)
            {
                await Task.Delay(RehearsalPause, engine.Stopping).ConfigureAwait(false);
                await Rehearsal.RunAsync(Rehearsal.OftenEnough, busy: 0).ConfigureAwait(false);
            }
        }
        catch (OperationCanceledException) when (engine.IsAskedToStop)
        {
            // The day has come.
        }
#pragma warning disable CA1031 // What fails in a rehearsal shows on the day, where it is caught and reported.
        catch (Exception e)
#pragma warning restore CA1031
        {
            Log.NotRehearsed(loggers.CreateLogger(Log.Category), e);
        }
    }

    /// <summary>Out of time while the host still starts: there is nobody who could stop it in order.</summary>
    private async Task LeaveAStuckStartAsync()
    {
        await Task.WhenAny(engine.Reported, engine.Up).ConfigureAwait(false);
        if (engine.OwnsProcess && !engine.Up.IsCompleted)
        {
            var report = await engine.Reported.ConfigureAwait(false);

            // Loggers write behind; disposed, they write the report before the process ends.
            var written = Task.Run(() =>
            {
                foreach (var provider in services.GetServices<ILoggerProvider>())
                {
                    provider.Dispose();
                }
            });
            await Task.WhenAny(written, Task.Delay(LifecycleEngine.LastWordsLimit)).ConfigureAwait(false);
            Environment.Exit(report.ExitCode);
        }
    }
}
