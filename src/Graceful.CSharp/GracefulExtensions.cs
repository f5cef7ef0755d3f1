using Graceful;
using Graceful.Engine;
using Graceful.FastCgi;
using Graceful.Kestrel;
using Graceful.Platform;
using Graceful.Posix;
using Graceful.Reporting;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Hosting.Internal;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

// Where users look for Add methods.
namespace Microsoft.Extensions.DependencyInjection;

/// <summary>Makes a server graceful.</summary>
public static class GracefulExtensions
{
    /// <summary>
    /// Makes the application leave without losing a request: on SIGTERM, SIGINT, SIGQUIT or a stop of the host it takes no
    /// more connections, lets the work in flight finish, runs the hooks, and exits with a code that tells how it went.
    /// From this call on the three signals are owned, so that one that comes during start-up ends in order as well.
    /// </summary>
    /// <param name="builder">The application's builder.</param>
    /// <param name="configure">Changes the options; every default is valid.</param>
    /// <typeparam name="TBuilder">The builder's type.</typeparam>
    /// <returns>The builder.</returns>
    /// <exception cref="ArgumentNullException">The builder is null.</exception>
    /// <remarks>
    /// Call it once an application; a further call only configures. Invalid options fail when the host is built. A lifetime
    /// of a service manager (systemd, Windows services) stays in place and also sees the signals. That of <c>UseSystemd</c> goes on
    /// to say READY and STOPPING, and Graceful says the rest; without it Graceful says all of it.
    /// </remarks>
    public static TBuilder AddGraceful<TBuilder>(this TBuilder builder, Action<GracefulOptions>? configure = null)
        where TBuilder : IHostApplicationBuilder
    {
        ArgumentNullException.ThrowIfNull(builder);
        builder.Services.AddGraceful(configure);
        return builder;
    }

    /// <inheritdoc cref="AddGraceful{TBuilder}(TBuilder, Action{GracefulOptions}?)"/>
    /// <param name="services">The services of the host.</param>
    /// <param name="configure">Changes the options; every default is valid.</param>
    /// <returns>The services.</returns>
    /// <exception cref="ArgumentNullException">The services are null.</exception>
    public static IServiceCollection AddGraceful(this IServiceCollection services, Action<GracefulOptions>? configure = null)
    {
        ArgumentNullException.ThrowIfNull(services);
        return services.AddGraceful(configure, [.. new GracefulOptions().Signals.Keys.Select(name => SignalNumber.Parse(name)!.Value)]);
    }

    /// <summary>The same, but owns these signals at once and no others.</summary>
    internal static IServiceCollection AddGraceful(
        this IServiceCollection services, Action<GracefulOptions>? configure, ReadOnlySpan<int> ownedAtOnce)
    {
        if (configure is not null)
        {
            services.Configure(configure);
        }

        if (services.Any(service => service.ServiceType == typeof(LifecycleEngine)))
        {
            return services;
        }

        services.AddOptions<GracefulOptions>().ValidateOnStart();
        services.AddSingleton<IValidateOptions<GracefulOptions>, GracefulOptionsValidator>();
        services.AddSingleton(provider => new LifecycleEngine(
            provider.GetRequiredService<IOptions<GracefulOptions>>().Value,
            provider.GetRequiredService<ILoggerFactory>().CreateLogger(Log.Category)));
        services.AddSingleton(static provider =>
        {
            var host = provider.GetRequiredService<IOptions<HostOptions>>();
            return new GracefulControl(
                provider.GetRequiredService<LifecycleEngine>(),
                provider.GetRequiredService<IOptions<GracefulOptions>>().Value,
                longer => host.Value.ShutdownTimeout = Sum(host.Value.ShutdownTimeout, longer));
        });
        services.AddSingleton<IGraceful>(static provider => provider.GetRequiredService<GracefulControl>());
        services.AddSingleton<IGracefulFeature>(static provider => provider.GetRequiredService<GracefulControl>());
        services.AddHostedService<PlatformBinding>();
        services.AddHostedService<GivenBinding>();
        services.AddHostedService<HostBinding>();
        services.AddMetrics();
        services.AddHostedService<Telemetry>();

        // Made here and now, and through a factory all the same: so the container disposes it.
        var signals = new SignalSource(ownedAtOnce);
        services.AddSingleton(_ => signals);
        // A service manager's lifetime keeps its place: it has more to do than to wait for signals.
        var lifetime = services.LastOrDefault(service => service.ServiceType == typeof(IHostLifetime));
        if (lifetime is null || lifetime.ImplementationType == typeof(ConsoleLifetime))
        {
            services.AddSingleton<IHostLifetime, SignalFreeLifetime>();
        }

        services.AddOptions<HostOptions>().PostConfigure<IOptions<GracefulOptions>>(
            static (host, graceful) => host.ShutdownTimeout = Sum(graceful.Value.Budget(), host.ShutdownTimeout));

        // The first filter is the outermost: whatever answers a request, we have seen it.
        services.Insert(0, ServiceDescriptor.Singleton<IStartupFilter, RequestTracking>());
        TrackTransports(services);
        CaptureApplication(services);

        services.AddHealthChecks().AddCheck<ReadinessCheck>("graceful", tags: ["ready"]);
        return services;
    }

    /// <summary>
    /// Kestrel asks every transport it finds, the last registered first, so the ones that are there are wrapped where they
    /// stand. Where there is none yet, ours keeps the default from being added beside it.
    /// </summary>
    private static void TrackTransports(IServiceCollection services)
    {
        services.AddOptions<SocketTransportOptions>().PostConfigure(static options => BoundSockets.Watch(options));
        services.TryAddSingleton<IConnectionListenerFactory, SocketTransportFactory>();
        services.AddSingleton<KeptListenerFactory>();
        services.AddSingleton<IConnectionListenerFactory>(static provider => provider.GetRequiredService<KeptListenerFactory>());
        services.AddSingleton<GivenListeners>();
        for (var index = 0; index < services.Count; index++)
        {
            var transport = services[index];
            if (transport.ServiceType == typeof(IConnectionListenerFactory) && !transport.IsKeyedService)
            {
                services[index] = ServiceDescriptor.Singleton<IConnectionListenerFactory>(provider => new TrackedListenerFactory(
                    (IConnectionListenerFactory)Make(transport, provider),
                    provider.GetRequiredService<LifecycleEngine>(),
                    provider.GetRequiredService<IOptions<GracefulOptions>>().Value,
                    provider.GetRequiredService<GivenListeners>(),
                    provider.GetRequiredService<ILoggerFactory>()));
            }
        }
    }

    /// <summary>FastCGI endpoints serve what Kestrel is given to serve.</summary>
    private static void CaptureApplication(IServiceCollection services)
    {
        services.AddSingleton<FastCgiServer>();
        for (var index = 0; index < services.Count; index++)
        {
            var server = services[index];
            if (server.ServiceType == typeof(IServer) && !server.IsKeyedService && server.ImplementationType?.Assembly == typeof(KestrelServerOptions).Assembly)
            {
                services[index] = ServiceDescriptor.Singleton<IServer>(provider => new ApplicationCapture(
                    (IServer)Make(server, provider), provider.GetRequiredService<FastCgiServer>()));
            }
        }
    }

    private static object Make(ServiceDescriptor service, IServiceProvider provider) =>
        service.ImplementationInstance
        ?? service.ImplementationFactory?.Invoke(provider)
        ?? ActivatorUtilities.CreateInstance(provider, service.ImplementationType!);

    private static TimeSpan Sum(TimeSpan one, TimeSpan other) =>
        one == Timeout.InfiniteTimeSpan || other == Timeout.InfiniteTimeSpan ? Timeout.InfiniteTimeSpan : one + other;
}
