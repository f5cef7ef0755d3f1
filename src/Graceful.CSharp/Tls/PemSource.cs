using System.Security.Cryptography.X509Certificates;
using System.Text;

namespace Graceful.Tls;

/// <summary>A certificate and its key in PEM; those that vouch for it after it, or in a file of their own.</summary>
internal sealed class PemSource : CertificateSource
{
    /// <exception cref="ArgumentException">A path is null or empty.</exception>
    public PemSource(string certificatePath, string keyPath, string? chainPath)
    {
        ArgumentException.ThrowIfNullOrEmpty(certificatePath);
        ArgumentException.ThrowIfNullOrEmpty(keyPath);
        if (chainPath is not null)
        {
            ArgumentException.ThrowIfNullOrEmpty(chainPath);
        }

        // As they are now: whoever changes the folder of the process later means others.
        Paths = [Path.GetFullPath(certificatePath), Path.GetFullPath(keyPath), .. chainPath is null ? (string[])[] : [Path.GetFullPath(chainPath)]];
        Words = (
            chainPath is null
                ? $"The certificate '{certificatePath}' and the key '{keyPath}'"
                : $"The certificate '{certificatePath}', the key '{keyPath}' and the chain '{chainPath}'",
            "Allowed are a certificate in PEM, with those that vouch for it after it, and its own key in PEM, not encrypted.");
    }

    protected override IReadOnlyList<string> Paths { get; }

    protected override (string Files, string Allowed) Words { get; }

    protected override LoadedCertificate Parse(IReadOnlyList<byte[]> files)
    {
        var texts = files.Select(Encoding.UTF8.GetString).ToArray();
        var chain = new X509Certificate2Collection();
        chain.ImportFromPem(texts[0]);
        if (texts.Length > 2)
        {
            chain.ImportFromPem(texts[2]);
        }

        return new LoadedCertificate(X509Certificate2.CreateFromPem(texts[0], texts[1]), chain);
    }
}
