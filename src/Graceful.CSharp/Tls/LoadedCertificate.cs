using System.Net.Security;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Graceful.Tls;

/// <summary>
/// A certificate with its key and those that vouch for it, ready for handshakes. It is never disposed: one that is out of use may still be in a
/// handshake, and goes when nobody refers to it any more.
/// </summary>
internal sealed class LoadedCertificate
{
    private const string ServerAuthentication = "1.3.6.1.5.5.7.3.1";

    /// <param name="leaf">The certificate with its key; taken over.</param>
    /// <param name="chain">Those that vouch for it, and it itself perhaps; taken over.</param>
    /// <exception cref="CryptographicException">No server can use it.</exception>
    public LoadedCertificate(X509Certificate2 leaf, X509Certificate2Collection chain)
    {
        if (!leaf.HasPrivateKey)
        {
            throw new CryptographicException("it has no private key.");
        }

        if (leaf.Extensions.OfType<X509EnhancedKeyUsageExtension>().FirstOrDefault() is { } usage
            && !usage.EnhancedKeyUsages.Cast<Oid>().Any(use => use.Value == ServerAuthentication))
        {
            throw new CryptographicException("its extended key usage is not for servers.");
        }

        // Windows does no handshake with a key that is in no store.
        Leaf = OperatingSystem.IsWindows() ? X509CertificateLoader.LoadPkcs12(leaf.Export(X509ContentType.Pkcs12), null) : leaf;
        Chain = [.. chain.Where(certificate => !certificate.RawDataMemory.Span.SequenceEqual(leaf.RawDataMemory.Span))];

        // Made once: it holds what OpenSSL needs, session tickets included. Offline, because nothing is fetched from anywhere at a start.
        Context = SslStreamCertificateContext.Create(Leaf, Chain, offline: true);
    }

    public X509Certificate2 Leaf { get; }

    public X509Certificate2Collection Chain { get; }

    public SslStreamCertificateContext Context { get; }

    /// <summary>The first moment of its time.</summary>
    public DateTimeOffset NotBefore => Leaf.NotBefore;

    /// <summary>The last moment of its time.</summary>
    public DateTimeOffset NotAfter => Leaf.NotAfter;

    /// <summary>The same certificate, vouched for by the same ones. A certificate says which key is its own.</summary>
    public bool IsSame(LoadedCertificate other) =>
        Leaf.RawDataMemory.Span.SequenceEqual(other.Leaf.RawDataMemory.Span)
        && Chain.Select(one => one.Thumbprint).SequenceEqual(other.Chain.Select(one => one.Thumbprint));

    public override string ToString() => FormattableString.Invariant($"'{Leaf.Subject}', valid until {NotAfter.UtcDateTime:u}, thumbprint {Leaf.Thumbprint}");
}
