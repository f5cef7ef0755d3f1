using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using Graceful.Tests.Support;
using Microsoft.AspNetCore.Http;

namespace Graceful.Tests.Servers;

public sealed class OverTls : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("graceful");

    private string CertificatePath => Path.Combine(_folder.FullName, "cert.pem");

    private string KeyPath => Path.Combine(_folder.FullName, "key.pem");

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public async Task The_certificate_of_the_files_is_shown_with_the_one_that_vouches_for_it()
    {
        using var root = await PemPair.WriteAsync(CertificatePath, KeyPath);
        using var between = await PemPair.WriteAsync(CertificatePath, KeyPath, issuer: root);
        using var ours = await PemPair.WriteAsync(CertificatePath, KeyPath, issuer: between);
        await using var server = new GracefulServer(Serving.Loopback, Serving.Ok);
        await using var serving = await Serving.StartAsync(server, server.ListenAndServeTlsAsync(CertificatePath, KeyPath));
        Assert.StartsWith("https://127.0.0.1:", Assert.Single(server.Addresses), StringComparison.Ordinal);
        using var tcp = new TcpClient();
        await tcp.ConnectAsync(IPAddress.Loopback, serving.Port);
        string?[] shown = [];
        await using var tls = new SslStream(tcp.GetStream(), false, (_, certificate, chain, _) =>
        {
            shown = [certificate?.GetCertHashString(), .. chain!.ChainPolicy.ExtraStore.Select(extra => extra.Thumbprint)];
            return true;
        });
        await tls.AuthenticateAsClientAsync("localhost").Soon();
        Assert.Equal(ours.GetCertHashString(), shown[0]);
        Assert.Contains(between.Thumbprint, shown);
        Assert.Equal(0, (await serving.CloseAsync()).ExitCode);
    }

    [Fact]
    public async Task A_Unix_socket_does_TLS_too()
    {
        using var ours = await PemPair.WriteAsync(CertificatePath, KeyPath);
        var path = Path.Combine(_folder.FullName, "socket");
        var server = new GracefulServer($"unix:{path}", Serving.Ok);
        await using var serving = await Serving.StartAsync(server, server.ListenAndServeTlsAsync(CertificatePath, KeyPath));
        Assert.Equal($"https://unix:{path}", Assert.Single(server.Addresses));
        await serving.CloseAsync();
    }

    [Fact]
    public async Task A_configured_one_serves_who_asks_and_tells_who_is_idle()
    {
        await using var serving = await Serving.StartAsync(
            context => context.Response.WriteAsync(context.Request.Scheme),
            server =>
            {
                server.Tls = tls => tls.ServerCertificate = Certificate.ForTests;
                server.Configure(Quiet.Long);
            });
        using var client = await (await RawClient.ConnectAsync(serving.Port)).WithTlsAsync();
        Assert.Equal("https"u8.ToArray(), (await client.GetAsync("/")).Body);
        Assert.True(serving.Server.Close());
        await Limits.Until(() => serving.Server.Started.Result.Stopping.IsCancellationRequested, "it leaves");
        await Quiet.LessAsync();
        Assert.True((await client.GetAsync("/")).IsTold);
        Assert.Equal(0, (await serving.Report.Soon()).ExitCode);
    }
}
