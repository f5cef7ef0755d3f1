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
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest($"CN=localhost, OU={Guid.NewGuid()}", key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(certificateAuthority: true, false, 0, critical: true));
        var certificate = issuer is null ? request.CreateSelfSigned(From, To) : request.Create(issuer, From, To, [1, 2, 3, 4]).CopyWithPrivateKey(key);
        await File.WriteAllTextAsync(certificatePath, certificate.ExportCertificatePem() + "\n" + issuer?.ExportCertificatePem());
        await File.WriteAllTextAsync(keyPath, key.ExportPkcs8PrivateKeyPem());
        return certificate;
    }
}
