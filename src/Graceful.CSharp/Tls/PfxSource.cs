using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Graceful.Tls;

/// <summary>A certificate, its key and those that vouch for it in one PKCS #12 file.</summary>
internal sealed class PfxSource : CertificateSource
{
    private readonly string? _password;

    /// <exception cref="ArgumentException">The path is null or empty.</exception>
    public PfxSource(string path, string? password)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        _password = password;
        Paths = [Path.GetFullPath(path)];
        Words = ($"The file '{path}'", "Allowed is a PKCS #12 file (.pfx, .p12) with one certificate that has its key, and its own password.");
    }

    protected override IReadOnlyList<string> Paths { get; }

    protected override (string Files, string Allowed) Words { get; }

    protected override LoadedCertificate Parse(IReadOnlyList<byte[]> files)
    {
        var all = X509CertificateLoader.LoadPkcs12Collection(files[0], _password);
        var withKeys = all.Where(certificate => certificate.HasPrivateKey).ToList();
        return withKeys is [var leaf]
            ? new LoadedCertificate(leaf, [.. all])
            : throw new CryptographicException($"{(withKeys.Count == 0 ? "no certificate has" : $"{withKeys.Count} certificates have")} a private key.");
    }
}
