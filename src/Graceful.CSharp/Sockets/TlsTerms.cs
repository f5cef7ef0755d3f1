using System.Net.Security;

namespace Graceful.Sockets;

/// <summary>How a listener shakes hands: as it was told at its start, with the certificate that is in use at the moment.</summary>
internal sealed class TlsTerms
{
    private readonly SslServerAuthenticationOptions _options;
    private readonly ServerCertificate? _certificate;

    private TlsTerms(SslServerAuthenticationOptions options, ServerCertificate? certificate)
    {
        _options = options;
        _certificate = certificate;
    }

    /// <summary>For a handshake that begins now, which takes what is in it at once.</summary>
    public SslServerAuthenticationOptions Now
    {
        get
        {
            if (_certificate is not null && !ReferenceEquals(_options.ServerCertificateContext, _certificate.Current.Context))
            {
                _options.ServerCertificateContext = _certificate.Current.Context;
            }

            return _options;
        }
    }

    public static TlsTerms Of(GracefulListenerOptions options) => options.Certificate is { } certificate
        ? new TlsTerms(options.Tls is { } tls ? CopyOf(tls) : new SslServerAuthenticationOptions { EnabledSslProtocols = ServerCertificate.BothProtocols }, certificate)
        : new TlsTerms(options.Tls!, null);

    /// <summary>They are the user's, and may be those of another listener with another certificate.</summary>
    internal static SslServerAuthenticationOptions CopyOf(SslServerAuthenticationOptions tls)
    {
        var copy = new SslServerAuthenticationOptions
        {
            AllowRenegotiation = tls.AllowRenegotiation,
            AllowTlsResume = tls.AllowTlsResume,
            ApplicationProtocols = tls.ApplicationProtocols,
            CertificateChainPolicy = tls.CertificateChainPolicy,
            CertificateRevocationCheckMode = tls.CertificateRevocationCheckMode,
            CipherSuitesPolicy = tls.CipherSuitesPolicy,
            ClientCertificateRequired = tls.ClientCertificateRequired,
            EnabledSslProtocols = tls.EnabledSslProtocols,
            EncryptionPolicy = tls.EncryptionPolicy,
            RemoteCertificateValidationCallback = tls.RemoteCertificateValidationCallback,
        };
        if (OperatingSystem.IsLinux() || OperatingSystem.IsWindows())
        {
            copy.AllowRsaPkcs1Padding = tls.AllowRsaPkcs1Padding;
            copy.AllowRsaPssPadding = tls.AllowRsaPssPadding;
        }

        return copy;
    }
}
