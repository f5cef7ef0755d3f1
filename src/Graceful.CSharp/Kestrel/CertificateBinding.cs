using Graceful.Engine;
using Graceful.Reporting;
using Graceful.Tls;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Graceful.Kestrel;

/// <summary>Ties the server's certificate to the host: a start without a usable one fails, its files are watched as long as the host lives, and what is shown is logged.</summary>
internal sealed class CertificateBinding(
    LifecycleEngine engine, IOptions<GracefulOptions> options, IServiceProvider services, ILoggerFactory loggers) : HostedPart, IDisposable
{
    private readonly ILogger _log = loggers.CreateLogger(Log.Category);
    private ServerCertificate? _certificate;
    private IDisposable? _watch;

    public override Task StartingAsync(CancellationToken cancellationToken)
    {
        if (options.Value.Certificate is { } certificate)
        {
            _certificate = certificate;
            certificate.OnReplaced(Say);
            Log.CertificateUsed(_log, certificate.Current.ToString());
            if (options.Value.WatchCertificateFiles)
            {
                _watch = certificate.Watch(options.Value.CertificateWatchInterval, _log, options.Value.TimeProvider);
                Log.CertificateWatched(_log);
            }
        }

        return Task.CompletedTask;
    }

    public override Task StartedAsync(CancellationToken cancellationToken)
    {
        if (_certificate is { IsAskedFor: false } && services.GetService<IServer>()?.Features.Get<IServerAddressesFeature>() is { Addresses.Count: > 0 })
        {
            Log.CertificateNotUsed(_log, _certificate.Current.ToString());
        }

        return Task.CompletedTask;
    }

    public override Task StoppedAsync(CancellationToken cancellationToken)
    {
        Dispose();
        return Task.CompletedTask;
    }

    public void Dispose()
    {
        _watch?.Dispose();
        _certificate?.OnReplaced(Say, isOver: true);
    }

    private void Say(LoadedCertificate certificate) => engine.Say(log => Log.CertificateReplaced(log, certificate.ToString()));
}
