using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.Options;

namespace Graceful.Kestrel;

/// <summary>Makes the server's certificate that of every HTTPS endpoint without one of its own.</summary>
internal sealed class CertificateDefaults : IConfigureOptions<KestrelServerOptions>
{
    private const string NoWatch = "Microsoft.AspNetCore.Server.Kestrel.DisableCertificateFileWatching";

    private readonly ServerCertificate? _certificate;

    /// <remarks>
    /// Kestrel asks for the switch once in a process, when the first of its options are made: after whatever configures them was made, and before it is called.
    /// </remarks>
    public CertificateDefaults(IOptions<GracefulOptions> graceful)
    {
        _certificate = graceful.Value.Certificate;
        if (graceful.Value.WatchCertificateFiles && !AppContext.TryGetSwitch(NoWatch, out _))
        {
            AppContext.SetSwitch(NoWatch, isEnabled: true);
        }
    }

    public void Configure(KestrelServerOptions options)
    {
        if (_certificate is not null)
        {
            options.ConfigureHttpsDefaults(_certificate.ApplyTo);
        }
    }
}
