using System.Security.Cryptography;

namespace Graceful.Tls;

/// <summary>The files that a certificate comes from.</summary>
internal abstract class CertificateSource
{
    /// <summary>No certificate with its chain comes near it.</summary>
    private const int MostBytes = 1 << 20;

    /// <summary>The files, by their full paths.</summary>
    protected abstract IReadOnlyList<string> Paths { get; }

    /// <summary>What the files are, and what is allowed.</summary>
    protected abstract (string Files, string Allowed) Words { get; }

    /// <summary>Every byte of every file, as they are now.</summary>
    /// <exception cref="IOException">One is missing, too large or can't be read; the message has its path.</exception>
    /// <exception cref="UnauthorizedAccessException">One may not be read; the message has its path.</exception>
    public IReadOnlyList<byte[]> Read() => [.. Paths.Select(Read)];

    /// <summary>Makes a certificate of the bytes, of whatever time it is.</summary>
    /// <exception cref="CryptographicException">There is none in them, or no key, or another one's; the message has the paths.</exception>
    public LoadedCertificate Load(IReadOnlyList<byte[]> files)
    {
        try
        {
            return Parse(files);
        }
        catch (Exception e) when (e is CryptographicException or ArgumentException or NotSupportedException)
        {
            throw new CryptographicException($"{Words.Files} can't be used: {e.Message} {Words.Allowed}", e);
        }
    }

    public override string ToString() => Words.Files;

    protected abstract LoadedCertificate Parse(IReadOnlyList<byte[]> files);

    private static byte[] Read(string path)
    {
        using var file = File.OpenRead(path);
        using var bytes = new MemoryStream();
        var chunk = new byte[16384];
        for (var some = file.Read(chunk); some > 0; some = file.Read(chunk))
        {
            bytes.Write(chunk, 0, some);
            if (bytes.Length > MostBytes)
            {
                throw new IOException($"The file '{path}' is longer than {MostBytes} bytes, which no certificate and no key is.");
            }
        }

        return bytes.ToArray();
    }
}
