using System.Net.Security;
using System.Net.Sockets;
using System.Runtime.Versioning;
using System.Security.Authentication;
using System.Security.Cryptography.X509Certificates;
using Graceful.Sockets;
using Graceful.Tests.Servers;
using Graceful.Tests.Support;

namespace Graceful.Tests.RawSockets;

/// <summary>With TLS, connections come out authenticated, and handshakes hold up nobody.</summary>
public sealed class OverTls
{
    private static GracefulListenerOptions WithTls(TimeSpan? limit = null) => new()
    {
        Tls = new SslServerAuthenticationOptions { ServerCertificate = Certificate.ForTests, ApplicationProtocols = [new SslApplicationProtocol("line")] },
        HandshakeLimit = limit ?? TimeSpan.FromSeconds(10),
    };

    [Fact]
    public async Task Streams_come_out_authenticated_and_their_reads_count()
    {
        await using var rig = new Rig(ConnectionMode.Automatic, options: WithTls());
        var accepting = rig.AcceptAsync();
        await using var client = await HandshakeAsync(await rig.ConnectAsync());
        var server = await accepting;
        Assert.True(server.Tls!.IsAuthenticated);
        Assert.Equal("line", server.Tls.NegotiatedApplicationProtocol.ToString());
        Assert.Equal(ConnectionPhase.New, server.Phase);
        await client.SayAsync("hello");
        Assert.Equal("hello", await server.HearAsync());
        Assert.Equal(ConnectionPhase.Active, server.Phase);
        await server.SayAsync("answer");
        Assert.Equal("answer", await client.HearAsync());
        server.SetReadDeadline(TimeSpan.FromMilliseconds(20));
        await Assert.ThrowsAsync<IOException>(() => server.HearAsync());
        server.SetReadDeadline(null);
        var drain = rig.Listener.DrainAsync();
        await Limits.Until(() => server.IsRetiring, "the drain has begun");
        await client.SayAsync("once more");
        Assert.Equal("once more", await server.HearAsync());
        await server.SayAsync("and done");
        server.MarkIdle();
        Assert.Equal("and done", await client.HearAsync());
        Assert.Equal("", await client.HearAsync());
        Assert.Equal("", await server.HearAsync());
        await drain.Soon("The drain");
    }

    [Fact]
    public async Task A_slow_handshake_and_a_failed_one_hold_neither_accepts_nor_the_drain()
    {
        await using var rig = new Rig(ConnectionMode.Automatic, options: WithTls());
        var accepting = rig.AcceptAsync();
        var silent = await rig.ConnectAsync();
        var half = await rig.ConnectAsync();
        await half.SendAsync(HalfAHello.Bytes);
        var wrong = await rig.ConnectAsync();
        await wrong.SayAsync("GET / HTTP/1.1\r\n\r\n");
        await using var client = await HandshakeAsync(await rig.ConnectAsync());
        var server = await accepting;
        await client.SayAsync("hello");
        Assert.Equal("hello", await server.HearAsync());
        accepting = rig.AcceptAsync();
        await using var second = await HandshakeAsync(await rig.ConnectAsync());
        var idle = await accepting;
        var last = rig.Listener.AcceptAsync().AsTask();
        var leaving = rig.LeaveAsync();
        await silent.EndsAsync();
        Assert.Equal("", await second.HearAsync());
        Assert.Equal("", await idle.HearAsync());
        await server.SayAsync("bye");
        server.MarkIdle();
        Assert.Equal("bye", await client.HearAsync());
        Assert.Null(await last.Soon("The end of the accepts"));
        Assert.Equal(0, (await leaving).ExitCode);
    }

    [Fact]
    public async Task A_handshake_that_takes_too_long_is_ended()
    {
        await using var rig = new Rig(ConnectionMode.Automatic, options: WithTls(TimeSpan.FromMilliseconds(50)));
        var accepting = rig.Listener.AcceptAsync().AsTask();
        var silent = await rig.ConnectAsync();
        await silent.EndsAsync();
        await Limits.Until(() => rig.Listener.Connections.Values.Sum() == 0, "it has left");
        Assert.False(accepting.IsCompleted);
        rig.Listener.Close();
        Assert.Null(await accepting.Soon("The end"));
    }

    [Fact]
    public async Task Whoever_waits_in_the_queue_on_the_way_out_is_authenticated_and_served()
    {
        // Nobody is quiet for so long before he is asked for.
        await using var rig = new Rig(ConnectionMode.Automatic, options: WithTls(), quiet: TimeSpan.FromSeconds(20));
        var clients = new List<Task<SslStream>>();
        for (var i = 0; i < 5; i++)
        {
            clients.Add(HandshakeAsync(await rig.ConnectAsync()));
        }

        rig.Graceful.Close();
        for (var i = 0; i < 5; i++)
        {
            await using var server = await rig.AcceptAsync();
            server.MarkInUse();
            await server.SayAsync("answer");
        }

        Assert.Null(await rig.Listener.AcceptAsync().AsTask().Soon("The end"));
        foreach (var client in await Task.WhenAll(clients))
        {
            Assert.Equal("answer", await client.HearAsync());
            Assert.Equal("", await client.HearAsync());
        }

        Assert.Equal(0, (await rig.Engine.Exited.Soon("The end of the way out")).ExitCode);
    }

    [Fact]
    public async Task A_disowned_stream_goes_on_encrypted()
    {
        await using var rig = new Rig(ConnectionMode.Manual, options: WithTls());
        var accepting = rig.AcceptAsync();
        await using var client = await HandshakeAsync(await rig.ConnectAsync());
        var server = await accepting;
        server.Disown();
        await rig.Listener.DrainAllAsync().Soon("The drain");
        await client.SayAsync("still");
        Assert.Equal("still", await server.HearAsync());
        await server.DisposeAsync();
        Assert.Equal("", await client.HearAsync());
    }

    [Fact]
    public async Task A_handshake_that_ends_when_nobody_can_ask_for_it_any_more_is_the_end_of_its_connection()
    {
        await using var rig = new Rig(ConnectionMode.Automatic, options: WithTls());
        var accepting = rig.Listener.AcceptAsync().AsTask();
        var client = await rig.ConnectAsync();
        await Limits.Until(() => rig.Listener.Connections.Values.Sum() == 1, "the client is at the door");
        await rig.Listener.DisposeAsync();
        Assert.Null(await accepting.Soon("The end of the accepts"));
        await Assert.ThrowsAsync<IOException>(async () =>
        {
            await using var late = await HandshakeAsync(client);
            await late.HearAsync();
        });
        await Limits.Until(() => rig.Listener.Connections.Values.Sum() == 0, "nobody is left");
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_certificate_is_replaced_under_a_listener_and_who_is_connected_stays(bool withTerms)
    {
        using var first = PemPair.Make();
        var certificate = ServerCertificate.From(first);
        var terms = withTerms ? new SslServerAuthenticationOptions { ApplicationProtocols = [new SslApplicationProtocol("line")] } : null;
        await using var rig = new Rig(ConnectionMode.Automatic, options: new GracefulListenerOptions { Certificate = certificate, Tls = terms });
        var accepting = rig.AcceptAsync();
        await using var client = await CertificateFolder.HandshakeAsync(await rig.ConnectAsync(), applications: [new SslApplicationProtocol("line")]);
        Assert.Equal(first.Thumbprint, client.RemoteCertificate!.GetCertHashString());
        Assert.Equal(withTerms ? "line" : "", client.NegotiatedApplicationProtocol.ToString());
        Assert.InRange(client.SslProtocol, SslProtocols.Tls12, SslProtocols.Tls13);
        var server = await accepting;
        using var second = PemPair.Make();
        certificate.Replace(second);
        accepting = rig.AcceptAsync();
        await using var next = await CertificateFolder.HandshakeAsync(await rig.ConnectAsync(), applications: [new SslApplicationProtocol("line")]);
        Assert.Equal(second.Thumbprint, next.RemoteCertificate!.GetCertHashString());
        Assert.NotNull(await accepting);
        await client.SayAsync("still");
        Assert.Equal("still", await server.HearAsync());

        // The user's own terms are not touched: another listener may have them as well.
        Assert.Null(terms?.ServerCertificateContext);
    }

    [Fact]
    public void Two_certificates_are_one_too_many()
    {
        using var ours = PemPair.Make();
        var options = WithTls();
        options.Certificate = ServerCertificate.From(ours);
        using var socket = Servers.Sockets.Listening();
        var e = Assert.Throws<ArgumentException>(() => new GracefulListener(socket, ConnectionMode.Automatic, options: options));
        Assert.Contains("Tls has a certificate and Certificate is another", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    [SupportedOSPlatform("linux")]
    public void Terms_are_copied_whole()
    {
        using var ours = PemPair.Make();
        using var store = new X509Chain();
        var terms = new SslServerAuthenticationOptions
        {
            AllowRenegotiation = true,
            AllowRsaPkcs1Padding = false,
            AllowRsaPssPadding = false,
            AllowTlsResume = false,
            ApplicationProtocols = [],
            CertificateChainPolicy = store.ChainPolicy,
            CertificateRevocationCheckMode = X509RevocationMode.Offline,
            CipherSuitesPolicy = new CipherSuitesPolicy([TlsCipherSuite.TLS_AES_128_GCM_SHA256]),
            ClientCertificateRequired = true,
            EnabledSslProtocols = SslProtocols.Tls13,
            RemoteCertificateValidationCallback = Certificate.IsOurs,
        };
        var copy = TlsTerms.CopyOf(terms);
        var plain = new SslServerAuthenticationOptions();
        foreach (var property in typeof(SslServerAuthenticationOptions).GetProperties().Where(property => property.CanWrite))
        {
            if (!property.Name.StartsWith("ServerCertificate", StringComparison.Ordinal) && property.Name != nameof(terms.EncryptionPolicy))
            {
                Assert.False(Equals(property.GetValue(plain), property.GetValue(terms)), $"{property.Name} is not set here");
            }

            Assert.Equal(property.GetValue(terms), property.GetValue(copy));
        }
    }

    private static async Task<SslStream> HandshakeAsync(Socket client)
    {
        var stream = new SslStream(new NetworkStream(client), leaveInnerStreamOpen: false, Certificate.IsOurs);
        await stream.AuthenticateAsClientAsync(new SslClientAuthenticationOptions
        {
            TargetHost = "localhost", ApplicationProtocols = [new SslApplicationProtocol("line")],
        }).Soon("The handshake");
        return stream;
    }
}
