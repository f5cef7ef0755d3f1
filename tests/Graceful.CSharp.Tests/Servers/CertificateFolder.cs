using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Security.Cryptography.X509Certificates;
using Graceful.Tests.Support;

namespace Graceful.Tests.Servers;

/// <summary>A folder with the files of a certificate, and clients that look at what is shown.</summary>
internal sealed class CertificateFolder : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("graceful");

    public string Certificate => this["cert.pem"];

    public string Key => this["key.pem"];

    public string this[string name] => Path.Combine(_folder.FullName, name);

    public void Dispose() => _folder.Delete(recursive: true);

    /// <summary>A new pair in the two files.</summary>
    public Task<X509Certificate2> WriteAsync(X509Certificate2? issuer = null) => PemPair.WriteAsync(Certificate, Key, issuer);

    public static async Task<string> ShownAsync(int port)
    {
        await using var stream = await HandshakeAsync(port);
        return stream.RemoteCertificate!.GetCertHashString();
    }

    /// <summary>A client that trusts everybody.</summary>
    public static async Task<SslStream> HandshakeAsync(
        int port, SslProtocols protocols = SslProtocols.None, List<SslApplicationProtocol>? applications = null, List<string>? chain = null)
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            await socket.ConnectAsync(IPAddress.Loopback, port).Soon("The connection");
            return await HandshakeAsync(socket, protocols, applications, chain);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    public static async Task<SslStream> HandshakeAsync(
        Socket socket, SslProtocols protocols = SslProtocols.None, List<SslApplicationProtocol>? applications = null, List<string>? chain = null)
    {
        var stream = new SslStream(new NetworkStream(socket, ownsSocket: true));
        await stream.AuthenticateAsClientAsync(new SslClientAuthenticationOptions
        {
            TargetHost = "localhost",
            EnabledSslProtocols = protocols,
            ApplicationProtocols = applications,
            RemoteCertificateValidationCallback = (_, _, built, _) =>
            {
                chain?.AddRange(built!.ChainPolicy.ExtraStore.Select(extra => extra.Thumbprint));
                return true;
            },
        }).Soon("The handshake");
        return stream;
    }
}
