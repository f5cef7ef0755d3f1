using System.Diagnostics;
using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Graceful.Benchmarks;

/// <summary>
/// What a handshake costs with a certificate that can be replaced, against one that Kestrel was given for good: both servers in this process, with
/// Graceful and the same certificate, and in turn. Client and server count together, for the processor is the same.
/// </summary>
internal static class HandshakeBenchmark
{
    private const int Handshakes = 20;
    private const double MostRatio = 1.05;

    public static async Task<bool> RunAsync(int rounds)
    {
        using var certificate = Make();
        await using var still = await StartAsync(certificate, isLive: false).ConfigureAwait(false);
        await using var live = await StartAsync(certificate, isLive: true).ConfigureAwait(false);
        var (stillPort, livePort) = (PortOf(still), PortOf(live));
        for (var i = 0; i < 20; i++)
        {
            await SliceAsync(stillPort).ConfigureAwait(false);
            await SliceAsync(livePort).ConfigureAwait(false);
        }

        var figures = new (double Still, double Live)[rounds];
        for (var round = 0; round < rounds; round++)
        {
            var first = round % 2 == 0;
            var one = await SliceAsync(first ? stillPort : livePort).ConfigureAwait(false);
            var other = await SliceAsync(first ? livePort : stillPort).ConfigureAwait(false);
            figures[round] = first ? (one, other) : (other, one);
        }

        var ratio = Figures.Median(figures.Select(f => f.Live / f.Still));
        Console.WriteLine(FormattableString.Invariant(
            $"TLS handshakes, {rounds} rounds of {Handshakes}, medians: static {Figures.Median(figures.Select(f => f.Still)):0} us   replaceable {Figures.Median(figures.Select(f => f.Live)):0} us   in pairs {ratio:0.000} (at most {MostRatio:0.00})   {(ratio <= MostRatio ? "as promised" : "NOT as promised")}"));
        return ratio <= MostRatio;
    }

    private static async Task<WebApplication> StartAsync(X509Certificate2 certificate, bool isLive)
    {
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().UseKestrelHttpsConfiguration();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0, endpoint => endpoint.UseHttps(https =>
        {
            if (!isLive)
            {
                https.ServerCertificate = certificate;
                https.SslProtocols = System.Security.Authentication.SslProtocols.Tls12 | System.Security.Authentication.SslProtocols.Tls13;
            }
        })));
        builder.Logging.ClearProviders();
        builder.AddGraceful(options =>
        {
            options.OwnsProcess = false;
            if (isLive)
            {
                options.UseCertificate(ServerCertificate.From(certificate));
            }
        });
        var app = builder.Build();
        app.Run(static context => context.Response.WriteAsync("ok"));
        await app.StartAsync().ConfigureAwait(false);
        return app;
    }

    private static int PortOf(WebApplication app) => BindingAddress.Parse(
        app.Services.GetRequiredService<IServer>().Features.GetRequiredFeature<IServerAddressesFeature>().Addresses.First()).Port;

    /// <summary>Microseconds a handshake. The client takes no part in resumption, so that each is a whole one.</summary>
    private static async Task<double> SliceAsync(int port)
    {
        var start = Stopwatch.GetTimestamp();
        for (var i = 0; i < Handshakes; i++)
        {
            var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
            await socket.ConnectAsync(IPAddress.Loopback, port).ConfigureAwait(false);
            var stream = new SslStream(new NetworkStream(socket, ownsSocket: true));
            await using var _ = stream.ConfigureAwait(false);
            await stream.AuthenticateAsClientAsync(new SslClientAuthenticationOptions
            {
                TargetHost = "localhost",
                AllowTlsResume = false,
                ApplicationProtocols = [SslApplicationProtocol.Http11],
#pragma warning disable CA5359 // A certificate of this run, which nobody trusts.
                RemoteCertificateValidationCallback = static (_, _, _, _) => true,
#pragma warning restore CA5359
            }).ConfigureAwait(false);
        }

        return Stopwatch.GetElapsedTime(start).TotalMicroseconds / Handshakes;
    }

    private static X509Certificate2 Make()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        return new CertificateRequest("CN=localhost", key, HashAlgorithmName.SHA256).CreateSelfSigned(DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddDays(1));
    }
}
