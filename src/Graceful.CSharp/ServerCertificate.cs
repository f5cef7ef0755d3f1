using System.Security.Authentication;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Graceful.Core;
using Graceful.Tls;
using Microsoft.AspNetCore.Server.Kestrel.Https;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;

namespace Graceful;

/// <summary>
/// The certificate that a server shows, and that can be replaced while it serves: handshakes that begin from then on get the new one,
/// connections stay, and no listener closes for a moment. With it the certificates that vouch for it are sent.
/// </summary>
/// <remarks>
/// Made by <see cref="GracefulOptions.UsePem"/> and <see cref="GracefulOptions.UsePfx"/>, where <see cref="IGraceful.Certificate"/> and the services have it, or by
/// the methods here. What is shown is checked first: an error leaves the one that is in use. Nothing is fetched from anywhere, so certificates
/// that vouch for it must be given with it, and OCSP answers are not stapled. All members are for any thread at any time.
/// </remarks>
public sealed class ServerCertificate
{
#pragma warning disable CA5398 // These two are what is promised, whatever the system's default is.
    internal const SslProtocols BothProtocols = SslProtocols.Tls12 | SslProtocols.Tls13;
#pragma warning restore CA5398

    private readonly Lock _replacing = new();
    private LoadedCertificate _current;
    private Action<LoadedCertificate>? _replaced;

    private ServerCertificate(CertificateSource? source, LoadedCertificate certificate)
    {
        Source = source;
        _current = certificate;
    }

    /// <summary>The thumbprint (SHA-1) of the one in use, as hexadecimal digits.</summary>
    public string Thumbprint => Current.Leaf.Thumbprint;

    /// <summary>Whom the one in use is for, <c>CN=www.example.org</c> for instance.</summary>
    public string Subject => Current.Leaf.Subject;

    /// <summary>The last moment of the time of the one in use. When it is over nothing is done here: clients refuse it.</summary>
    public DateTimeOffset NotAfter => Current.NotAfter;

    internal CertificateSource? Source { get; }

    /// <summary>Whether any endpoint was told to show it.</summary>
    internal bool IsAskedFor { get; private set; }

    internal LoadedCertificate Current => Volatile.Read(ref _current);

    /// <summary>A certificate from files in PEM, which are read at once.</summary>
    /// <param name="certificatePath">The certificate, and after it those that vouch for it.</param>
    /// <param name="keyPath">Its key, not encrypted.</param>
    /// <param name="chainPath">More of those that vouch for it; null when they are with the certificate.</param>
    /// <returns>The certificate.</returns>
    /// <exception cref="ArgumentException">A path is null or empty.</exception>
    /// <exception cref="IOException">A file is missing or can't be read; the message has its path.</exception>
    /// <exception cref="UnauthorizedAccessException">A file may not be read; the message has its path.</exception>
    /// <exception cref="CryptographicException">
    /// There is no certificate or no key, the key is another one's, it is not for servers, or it is not its time; the message has the paths and what is wrong.
    /// </exception>
    public static ServerCertificate FromPem(string certificatePath, string keyPath, string? chainPath = null) =>
        Of(new PemSource(certificatePath, keyPath, chainPath));

    /// <summary>A certificate from a PKCS #12 file (<c>.pfx</c>, <c>.p12</c>), which is read at once.</summary>
    /// <param name="path">The file, with one certificate that has its key, and those that vouch for it.</param>
    /// <param name="password">Its password; null for none.</param>
    /// <returns>The certificate.</returns>
    /// <exception cref="ArgumentException">The path is null or empty.</exception>
    /// <inheritdoc cref="FromPem" path="/exception[not(@cref='T:System.ArgumentException')]"/>
    public static ServerCertificate FromPfx(string path, string? password = null) => Of(new PfxSource(path, password));

    /// <summary>A certificate that the caller has.</summary>
    /// <param name="certificate">With its key. It is copied, and stays the caller's.</param>
    /// <param name="chain">Those that vouch for it; null for none. They are copied.</param>
    /// <returns>The certificate.</returns>
    /// <exception cref="ArgumentNullException">The certificate is null.</exception>
    /// <exception cref="CryptographicException">It has no key, it is not for servers, or it is not its time; the message says which.</exception>
    public static ServerCertificate From(X509Certificate2 certificate, X509Certificate2Collection? chain = null) => new(null, CopyOf(certificate, chain));

    /// <summary>Shows another one from now on, which the caller has.</summary>
    /// <param name="certificate">With its key. It is copied, and stays the caller's.</param>
    /// <param name="chain">Those that vouch for it; null for none. They are copied.</param>
    /// <exception cref="ArgumentNullException">The certificate is null.</exception>
    /// <exception cref="CryptographicException">It has no key, it is not for servers, or it is not its time; the message says which. The one in use stays.</exception>
    public void Replace(X509Certificate2 certificate, X509Certificate2Collection? chain = null) => Use(CopyOf(certificate, chain));

    /// <summary>Shows another one from now on, from files in PEM. Those that are watched or read again stay what they were.</summary>
    /// <inheritdoc cref="FromPem" path="/param"/>
    /// <inheritdoc cref="FromPem" path="/exception"/>
    public void ReplaceFromPem(string certificatePath, string keyPath, string? chainPath = null) =>
        Use(Read(new PemSource(certificatePath, keyPath, chainPath)));

    /// <summary>Shows another one from now on, from a PKCS #12 file. Those that are watched or read again stay what they were.</summary>
    /// <inheritdoc cref="FromPfx" path="/param"/>
    /// <inheritdoc cref="FromPfx" path="/exception"/>
    public void ReplaceFromPfx(string path, string? password = null) => Use(Read(new PfxSource(path, password)));

    /// <summary>Reads its files once more and shows what is in them from now on; on SIGHUP, for instance.</summary>
    /// <returns>False when that is the one in use already.</returns>
    /// <exception cref="InvalidOperationException">It does not come from files.</exception>
    /// <inheritdoc cref="FromPem" path="/exception[not(@cref='T:System.ArgumentException')]"/>
    public bool Reload() => Use(Read(Source ?? throw NoFiles()));

    /// <summary>
    /// Looks at its files from time to time, and shows what is in them when they have changed, however they were: written, renamed, or reached by a
    /// link that leads elsewhere now. Both files must have been as they are for a quarter of a second, and fit. What can't be used leaves the one
    /// that is in use, and the log says why, once a change.
    /// </summary>
    /// <param name="interval">How long between two looks; from 100 ms to a day.</param>
    /// <param name="log">Where it is said what was done; null for nowhere.</param>
    /// <param name="timeProvider">The clock of the looks; null for the system's.</param>
    /// <returns>Ends the watch when it is disposed.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The interval is out of its bounds.</exception>
    /// <exception cref="InvalidOperationException">It does not come from files.</exception>
    public IDisposable Watch(TimeSpan interval, ILogger? log = null, TimeProvider? timeProvider = null)
    {
        if (interval < CertificateWatch.Shortest || interval > CertificateWatch.Longest)
        {
            throw new ArgumentOutOfRangeException(
                nameof(interval), interval, $"The interval is {interval}; allowed is between {CertificateWatch.Shortest} and {CertificateWatch.Longest}.");
        }

        return new CertificateWatch(this, Source ?? throw NoFiles(), interval, log ?? NullLogger.Instance, timeProvider ?? TimeProvider.System);
    }

    /// <summary>
    /// Has an endpoint of Kestrel show it, with TLS 1.2 and 1.3 where the protocols were not chosen. For endpoints without a certificate of
    /// their own that is done already, unless <c>ConfigureHttpsDefaults</c> is called, which replaces all defaults that were there: then call it there.
    /// </summary>
    /// <param name="https">The options of the endpoint. Its <c>OnAuthenticate</c> goes on to be called; one that is set after this takes the place of what is done here.</param>
    /// <exception cref="ArgumentNullException">The options are null.</exception>
    /// <remarks>HTTP/3 knows no such callback: an endpoint with it needs a certificate of its own and no defaults of these.</remarks>
    public void ApplyTo(HttpsConnectionAdapterOptions https)
    {
        ArgumentNullException.ThrowIfNull(https);
        IsAskedFor = true;
        var first = Current;
        https.ServerCertificate = first.Leaf;
        https.ServerCertificateChain = first.Chain;
        if (https.SslProtocols == SslProtocols.None)
        {
            https.SslProtocols = BothProtocols;
        }

        var users = https.OnAuthenticate;
        https.OnAuthenticate = (connection, tls) =>
        {
            // An endpoint may have been given one of its own after this, which is as it should be.
            if (ReferenceEquals(tls.ServerCertificate ?? tls.ServerCertificateContext?.TargetCertificate, first.Leaf))
            {
                tls.ServerCertificateContext = Current.Context;
            }

            users?.Invoke(connection, tls);
        };
    }

    /// <summary>Reads the files, as <see cref="FromPem"/> does.</summary>
    internal static ServerCertificate Of(CertificateSource source) => new(source, Read(source));

    /// <summary>Shows this one from now on; false when it is in use already.</summary>
    internal bool Use(LoadedCertificate certificate)
    {
        Action<LoadedCertificate>? replaced;
        lock (_replacing)
        {
            if (certificate.IsSame(_current))
            {
                return false;
            }

            Volatile.Write(ref _current, certificate);
            replaced = _replaced;
        }

        replaced?.Invoke(certificate);
        return true;
    }

    /// <summary>Somebody hears of every replacement, on the thread that makes it, until he wants to hear no more.</summary>
    internal void OnReplaced(Action<LoadedCertificate> listener, bool isOver = false)
    {
        lock (_replacing)
        {
            _replaced = isOver ? _replaced - listener : _replaced + listener;
        }
    }

    private static LoadedCertificate Read(CertificateSource source)
    {
        var certificate = source.Load(source.Read());
        CheckTime(certificate, source.ToString());
        return certificate;
    }

    private static LoadedCertificate CopyOf(X509Certificate2 certificate, X509Certificate2Collection? chain)
    {
        ArgumentNullException.ThrowIfNull(certificate);
        var what = $"The certificate '{certificate.Subject}'";
        LoadedCertificate copy;
        try
        {
            copy = new LoadedCertificate(new X509Certificate2(certificate), [.. chain?.Select(static one => new X509Certificate2(one)) ?? []]);
        }
        catch (Exception e) when (e is CryptographicException or NotSupportedException)
        {
            throw new CryptographicException($"{what} can't be used: {e.Message}", e);
        }

        CheckTime(copy, what);
        return copy;
    }

    private static void CheckTime(LoadedCertificate certificate, string what)
    {
        var look = new CertificateLook(isAsBefore: true, isInUse: false, isUsable: true, certificate.NotBefore, certificate.NotAfter);
        if (CertificateFilesModule.fault(DateTimeOffset.UtcNow, look) is { IsValueSome: true, Value: var fault })
        {
            throw new CryptographicException($"{what} can't be used: {CertificateWatch.WhyNot(fault, certificate)}");
        }
    }

    private static InvalidOperationException NoFiles() =>
        new($"The certificate does not come from files; allowed is one of {nameof(FromPem)} or {nameof(FromPfx)}.");
}
