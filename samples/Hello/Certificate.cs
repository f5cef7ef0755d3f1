using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Hello;

internal static class Certificate
{
    /// <summary>A certificate for localhost that nobody trusts and nobody keeps.</summary>
    public static X509Certificate2 ForThisRun()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=localhost", key, HashAlgorithmName.SHA256);
        return request.CreateSelfSigned(DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddDays(1));
    }
}
