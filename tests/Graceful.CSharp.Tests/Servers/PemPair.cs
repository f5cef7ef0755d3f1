using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Graceful.Tests.Servers;

/// <summary>A certificate for localhost and its key, in files.</summary>
internal static class PemPair
{
    private static readonly DateTimeOffset From = DateTimeOffset.UtcNow.AddDays(-1);
    private static readonly DateTimeOffset To = DateTimeOffset.UtcNow.AddDays(1);

    /// <summary>The certificate goes into its file with the one of its issuer after it.</summary>
    public static async Task<X509Certificate2> WriteAsync(string certificatePath, string keyPath, X509Certificate2? issuer = null)
    {
        var certificate = Make(issuer);
        await WriteAsync(certificate, certificatePath, keyPath, issuer);
        return certificate;
    }

    public static async Task WriteAsync(X509Certificate2 certificate, string certificatePath, string keyPath, X509Certificate2? issuer = null)
    {
        await File.WriteAllTextAsync(certificatePath, certificate.ExportCertificatePem() + "\n" + issuer?.ExportCertificatePem());
        await File.WriteAllTextAsync(keyPath, KeyOf(certificate));
    }

    public static string KeyOf(X509Certificate2 certificate) => certificate.GetECDsaPrivateKey()!.ExportPkcs8PrivateKeyPem();

    /// <param name="issuer">Who vouches for it; null for itself.</param>
    /// <param name="from">The first moment of its time; null for yesterday.</param>
    /// <param name="to">The last one; null for tomorrow.</param>
    /// <param name="use">What it is for, as the identifier of an extended key usage; null for anything.</param>
    public static X509Certificate2 Make(X509Certificate2? issuer = null, DateTimeOffset? from = null, DateTimeOffset? to = null, string? use = null)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest($"CN=localhost, OU={Guid.NewGuid()}", key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(certificateAuthority: true, false, 0, critical: true));
        if (use is not null)
        {
            request.CertificateExtensions.Add(new X509EnhancedKeyUsageExtension([new Oid(use)], critical: false));
        }

        return issuer is null
            ? request.CreateSelfSigned(from ?? From, to ?? To)
            : request.Create(issuer, from ?? From, to ?? To, Guid.NewGuid().ToByteArray()).CopyWithPrivateKey(key);
    }
}
