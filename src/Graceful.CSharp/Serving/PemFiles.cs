using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Microsoft.AspNetCore.Server.Kestrel.Https;

namespace Graceful.Serving;

/// <summary>A certificate, those that vouch for it, and its key, from two files in PEM.</summary>
internal sealed class PemFiles : IDisposable
{
    private readonly X509Certificate2 _certificate;
    private readonly X509Certificate2Collection _chain = [];

    /// <exception cref="IOException">A file is missing or can't be read.</exception>
    /// <exception cref="UnauthorizedAccessException">A file may not be read.</exception>
    /// <exception cref="CryptographicException">What is in the files is no certificate, no key, or no pair.</exception>
    public PemFiles(string certificatePath, string keyPath)
    {
        var certificate = File.ReadAllText(certificatePath);
        var key = File.ReadAllText(keyPath);
        try
        {
            _certificate = X509Certificate2.CreateFromPem(certificate, key);
            _chain.ImportFromPem(certificate);
        }
        catch (Exception e) when (e is CryptographicException or ArgumentException)
        {
            Dispose();
            throw new CryptographicException(
                $"The certificate '{certificatePath}' and the key '{keyPath}' can't be used: {e.Message} "
                + "Allowed are a certificate in PEM, with those that vouch for it after it, and its own key in PEM, not encrypted.",
                e);
        }
    }

    public void ApplyTo(HttpsConnectionAdapterOptions https)
    {
        https.ServerCertificate = _certificate;
        https.ServerCertificateChain = _chain;
    }

    public void Dispose()
    {
        _certificate?.Dispose();
        foreach (var certificate in _chain)
        {
            certificate.Dispose();
        }
    }
}
