using System.Collections.Concurrent;
using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Graceful.Tests.Support;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Server.Kestrel.Https;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Graceful.Tests.Servers;

/// <summary>The server's certificate: who gets it, what is wrong with a bad one, and how it is replaced while the server serves.</summary>
public sealed class Certificates : IDisposable
{
    private readonly CertificateFolder _files = new();

    public void Dispose() => _files.Dispose();

    [Theory]
    [InlineData(SslProtocols.Tls12)]
    [InlineData(SslProtocols.Tls13)]
    public async Task It_is_shown_with_both_versions_of_TLS_and_both_of_HTTP(SslProtocols version)
    {
        using var ours = await _files.WriteAsync();
        await using var app = await StartAsync(options => options.UsePem(_files.Certificate, _files.Key));
        foreach (var http in (SslApplicationProtocol[])[SslApplicationProtocol.Http2, SslApplicationProtocol.Http11])
        {
            await using var client = await CertificateFolder.HandshakeAsync(app.Port, version, [http]);
            Assert.Equal(version, client.SslProtocol);
            Assert.Equal(http, client.NegotiatedApplicationProtocol);
            Assert.Equal(ours.Thumbprint, client.RemoteCertificate!.GetCertHashString());
        }

        Assert.Equal(0, (await app.LeaveAsync()).ExitCode);
    }

    [Fact]
    public async Task Older_versions_are_refused()
    {
        using var ours = await _files.WriteAsync();
        var https = new HttpsConnectionAdapterOptions();
        ServerCertificate.FromPem(_files.Certificate, _files.Key).ApplyTo(https);
        Assert.Equal(SslProtocols.Tls12 | SslProtocols.Tls13, https.SslProtocols);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Everything_that_vouches_for_it_is_sent(bool inAFileOfItsOwn)
    {
        using var root = PemPair.Make();
        using var first = PemPair.Make(root);
        using var second = PemPair.Make(first);
        using var ours = await _files.WriteAsync(issuer: inAFileOfItsOwn ? second : null);
        using var leaf = PemPair.Make(second);
        var between = second.ExportCertificatePem() + "\n" + first.ExportCertificatePem() + "\n";
        await PemPair.WriteAsync(leaf, _files.Certificate, _files.Key);
        await File.WriteAllTextAsync(_files["chain.pem"], between);
        if (!inAFileOfItsOwn)
        {
            await File.AppendAllTextAsync(_files.Certificate, between);
        }

        await using var app = await StartAsync(options => options.UsePem(_files.Certificate, _files.Key, inAFileOfItsOwn ? _files["chain.pem"] : null));
        var chain = new List<string>();
        await using var client = await CertificateFolder.HandshakeAsync(app.Port, chain: chain);
        Assert.Equal(leaf.Thumbprint, client.RemoteCertificate!.GetCertHashString());
        Assert.Superset(new HashSet<string> { first.Thumbprint, second.Thumbprint }, new HashSet<string>(chain));
    }

    [Fact]
    public async Task A_PFX_does_as_well_with_its_password_and_its_chain()
    {
        using var root = PemPair.Make();
        using var between = PemPair.Make(root);
        using var ours = PemPair.Make(between);
        await File.WriteAllBytesAsync(_files["ours.pfx"], new X509Certificate2Collection { ours, X509CertificateLoader.LoadCertificate(between.RawData) }.Export(X509ContentType.Pkcs12, "secret")!);
        await using var app = await StartAsync(options => options.UsePfx(_files["ours.pfx"], "secret"));
        var chain = new List<string>();
        await using var client = await CertificateFolder.HandshakeAsync(app.Port, chain: chain);
        Assert.Equal(ours.Thumbprint, client.RemoteCertificate!.GetCertHashString());
        Assert.Contains(between.Thumbprint, chain);
        Throws("can't be used", () => ServerCertificate.FromPfx(_files["ours.pfx"], "wrong"));
        await File.WriteAllBytesAsync(_files["public.pfx"], X509CertificateLoader.LoadCertificate(ours.RawData).Export(X509ContentType.Pkcs12));
        Throws($"'{_files["public.pfx"]}' can't be used: no certificate has a private key.", () => ServerCertificate.FromPfx(_files["public.pfx"]));
        await File.WriteAllBytesAsync(_files["two.pfx"], new X509Certificate2Collection { ours, root }.Export(X509ContentType.Pkcs12)!);
        Throws($"'{_files["two.pfx"]}' can't be used: 2 certificates have a private key.", () => ServerCertificate.FromPfx(_files["two.pfx"]));
    }

    [Fact]
    public async Task A_start_with_a_bad_one_fails_and_says_which_file_and_what_is_wrong()
    {
        using var ours = await _files.WriteAsync();
        using var other = await PemPair.WriteAsync(_files["other.pem"], _files["other-key.pem"]);
        await File.WriteAllTextAsync(_files["empty.pem"], "");
        Assert.Contains("no.pem", (await Assert.ThrowsAsync<FileNotFoundException>(() => StartAsync(o => o.UsePem(_files["no.pem"], _files.Key)))).Message, StringComparison.Ordinal);
        Assert.Contains("no.pem", (await Assert.ThrowsAsync<FileNotFoundException>(() => StartAsync(o => o.UsePem(_files.Certificate, _files["no.pem"])))).Message, StringComparison.Ordinal);
        await Fails(_files["empty.pem"], _files.Key, _files["empty.pem"]);
        await Fails(_files.Certificate, _files["empty.pem"], _files["empty.pem"]);
        await Fails(_files.Certificate, _files["other-key.pem"], _files["other-key.pem"]);
        await Fails(_files.Key, _files.Key, _files.Key);
        await File.WriteAllBytesAsync(_files["large.pem"], new byte[(1 << 20) + 1]);
        var large = await Assert.ThrowsAsync<IOException>(() => StartAsync(o => o.UsePem(_files["large.pem"], _files.Key)));
        Assert.Contains($"'{_files["large.pem"]}' is longer than 1048576 bytes", large.Message, StringComparison.Ordinal);
        var now = DateTimeOffset.UtcNow;
        await FailsWith(PemPair.Make(from: now.AddDays(-2), to: now.AddSeconds(-2)), "it has expired, its time ended at 2");
        await FailsWith(PemPair.Make(from: now.AddDays(1), to: now.AddDays(2)), "its time has not come, it begins at 2");
        await FailsWith(PemPair.Make(use: "1.3.6.1.5.5.7.3.2"), "its extended key usage is not for servers");
        await using var app = await StartAsync(o => o.UsePem(_files.Certificate, _files.Key));

        async Task Fails(string certificate, string key, string names)
        {
            var e = await Assert.ThrowsAsync<CryptographicException>(() => StartAsync(o => o.UsePem(certificate, key)));
            Assert.Contains(names, e.Message, StringComparison.Ordinal);
            Assert.Contains("can't be used: ", e.Message, StringComparison.Ordinal);
            Assert.Contains("Allowed are a certificate in PEM", e.Message, StringComparison.Ordinal);
        }

        async Task FailsWith(X509Certificate2 bad, string why)
        {
            await PemPair.WriteAsync(bad, _files["bad.pem"], _files["bad-key.pem"]);
            var e = await Assert.ThrowsAsync<CryptographicException>(() => StartAsync(o => o.UsePem(_files["bad.pem"], _files["bad-key.pem"])));
            Assert.Contains($"'{_files["bad.pem"]}'", e.Message, StringComparison.Ordinal);
            Assert.Contains(why, e.Message, StringComparison.Ordinal);
            Throws(why, () => ServerCertificate.From(bad));
            bad.Dispose();
        }
    }

    [Fact]
    public void One_that_the_user_has_must_have_its_key()
    {
        using var ours = PemPair.Make();
        using var bare = X509CertificateLoader.LoadCertificate(ours.RawData);
        Throws("it has no private key", () => ServerCertificate.From(bare));
        Assert.Throws<ArgumentNullException>(() => ServerCertificate.From(null!));
        Assert.Throws<InvalidOperationException>(() => ServerCertificate.From(ours).Reload());
        Assert.Throws<InvalidOperationException>(() => ServerCertificate.From(ours).Watch(TimeSpan.FromSeconds(1)));
        Assert.Throws<ArgumentException>(() => new GracefulOptions().UsePem("", "key"));
        Assert.Throws<ArgumentException>(() => new GracefulOptions().UsePem("cert", ""));
        Assert.Throws<ArgumentException>(() => new GracefulOptions().UsePem("cert", "key", ""));
        Assert.Throws<ArgumentException>(() => new GracefulOptions().UsePfx(""));
    }

    [Fact]
    public async Task An_endpoint_with_one_of_its_own_keeps_it_and_one_with_a_callback_is_asked_too()
    {
        using var ours = await _files.WriteAsync();
        using var own = PemPair.Make();
        var asked = 0;
        await using var app = await TestApp.StartAsync(
            options => options.UsePem(_files.Certificate, _files.Key),
            endpoint => endpoint.UseHttps(https => https.ServerCertificate = own),
            builder => builder.WebHost.ConfigureKestrel(kestrel =>
            {
                kestrel.Listen(IPAddress.Loopback, 0, endpoint => endpoint.UseHttps());
                kestrel.ConfigureHttpsDefaults(https =>
                {
                    https.OnAuthenticate = (_, _) => Interlocked.Increment(ref asked);
                    kestrel.ApplicationServices.GetRequiredService<ServerCertificate>().ApplyTo(https);
                });
                kestrel.Listen(IPAddress.Loopback, 0, endpoint => endpoint.UseHttps());
            }));
        Assert.Equal([own.Thumbprint, ours.Thumbprint, ours.Thumbprint], await Shown(app));
        Assert.Equal(1, asked);
        using var next = PemPair.Make();
        app.Graceful.Certificate!.Replace(next);
        Assert.Equal([own.Thumbprint, next.Thumbprint, next.Thumbprint], await Shown(app));
        Assert.Equal(2, asked);

        static async Task<string[]> Shown(TestApp app) => [.. await Task.WhenAll(app.Ports.Select(CertificateFolder.ShownAsync))];
    }

    [Fact]
    public async Task An_https_address_needs_nothing_more()
    {
        using var ours = await _files.WriteAsync();
        await using var app = await TestApp.StartAsync(
            options => options.UsePem(_files.Certificate, _files.Key),
            build: builder =>
            {
                builder.WebHost.UseUrls("https://127.0.0.1:0");
                builder.WebHost.UseSetting(WebHostDefaults.PreferHostingUrlsKey, "true");
            });
        Assert.Equal(ours.Thumbprint, await CertificateFolder.ShownAsync(app.Port));
        app.Services.GetRequiredService<ServerCertificate>().Replace(PemPair.Make());
        Assert.NotEqual(ours.Thumbprint, await CertificateFolder.ShownAsync(app.Port));
        Assert.Contains(app.Log.OfGraceful, entry => entry.Id.Id == 70 && entry.Text.Contains(ours.Thumbprint, StringComparison.Ordinal));
        await app.Log.Until($"From now on handshakes get the certificate '{app.Graceful.Certificate!.Subject}'");
        Assert.DoesNotContain(app.Log.OfGraceful, entry => entry.Level >= LogLevel.Warning);
    }

    [Fact]
    public async Task One_that_no_endpoint_asks_for_is_a_warning()
    {
        using var ours = await _files.WriteAsync();
        await using var app = await TestApp.StartAsync(options => options.UsePem(_files.Certificate, _files.Key));
        Assert.Contains(app.Log.OfGraceful, entry => entry.Id.Id == 74 && entry.Level == LogLevel.Warning);
    }

    [Fact]
    public async Task Without_one_there_is_none_to_replace()
    {
        await using var app = await TestApp.StartAsync();
        Assert.Null(app.Graceful.Certificate);
        Assert.Contains("There is no certificate", Assert.Throws<InvalidOperationException>(app.Services.GetRequiredService<ServerCertificate>).Message, StringComparison.Ordinal);
        await using var serving = await Serving.StartAsync();
        using var next = PemPair.Make();
        Assert.Throws<InvalidOperationException>(() => serving.Server.ReplaceCertificate(next));
        Assert.Throws<InvalidOperationException>(() => new GracefulServer().ReplaceCertificate(next));
    }

    [Fact]
    public async Task Replaced_twenty_times_under_load_no_handshake_fails_and_who_is_connected_stays()
    {
        using var ours = await _files.WriteAsync();
        await using var server = new GracefulServer(Serving.Loopback, Serving.Ok);
        await using var serving = await Serving.StartAsync(server, server.ListenAndServeTlsAsync(_files.Certificate, _files.Key));
        using var kept = await (await RawClient.ConnectAsync(serving.Port)).WithTlsAsync(ours);
        Assert.Equal(200, (await kept.GetAsync("/")).Status);

        // What may be shown: never one that was replaced before the handshake began, nor one that comes after it.
        var order = new ConcurrentDictionary<string, int> { [ours.Thumbprint] = 0 };
        var (replacing, replaced, handshakes) = (0, 0, 0);
        using var over = new CancellationTokenSource();
        var load = Enumerable.Range(0, 4).Select(_ => Task.Run(async () =>
        {
            while (!over.IsCancellationRequested)
            {
                var least = Volatile.Read(ref replaced);
                var shown = await CertificateFolder.ShownAsync(serving.Port);
                Assert.InRange(order[shown], least, Volatile.Read(ref replacing));
                Interlocked.Increment(ref handshakes);
            }
        })).ToList();
        for (var number = 1; number <= 20; number++)
        {
            var before = Volatile.Read(ref handshakes);
            using (var next = await PemPair.WriteAsync(_files["next.pem"], _files["next-key.pem"]))
            {
                order[next.Thumbprint] = number;
                Volatile.Write(ref replacing, number);
                if (number % 2 == 0)
                {
                    server.ReplaceCertificateFromPem(_files["next.pem"], _files["next-key.pem"]);
                }
                else
                {
                    // What the user has he may dispose at once.
                    server.ReplaceCertificate(next);
                }
            }

            Volatile.Write(ref replaced, number);
            GC.Collect();
            await Limits.Until(() => Volatile.Read(ref handshakes) >= before + 4 || load.Exists(task => task.IsFaulted), "handshakes go on");
        }

        await over.CancelAsync();
        await Task.WhenAll(load).Soon("The load");
        Assert.Equal(200, (await kept.GetAsync("/")).Status);
        Assert.Equal(0, (await serving.CloseAsync()).ExitCode);
    }

    [Fact]
    public async Task Replacing_it_with_a_bad_one_keeps_the_one_in_use()
    {
        using var ours = await _files.WriteAsync();
        await using var server = new GracefulServer(Serving.Loopback, Serving.Ok);
        await using var serving = await Serving.StartAsync(server, server.ListenAndServeTlsAsync(_files.Certificate, _files.Key));
        await File.WriteAllTextAsync(_files.Key, "no key");
        var certificate = (await server.Started).Certificate!;
        Assert.Throws<CryptographicException>(() => certificate.Reload());
        Assert.Throws<CryptographicException>(() => server.ReplaceCertificateFromPem(_files.Certificate, _files.Key));
        Assert.Throws<FileNotFoundException>(() => server.ReplaceCertificateFromPfx(_files["no.pfx"]));
        using var expired = PemPair.Make(from: DateTimeOffset.UtcNow.AddDays(-2), to: DateTimeOffset.UtcNow.AddDays(-1));
        Throws("it has expired", () => server.ReplaceCertificate(expired));
        Assert.Equal(ours.Thumbprint, await CertificateFolder.ShownAsync(serving.Port));
        using var next = await _files.WriteAsync();
        Assert.True(certificate.Reload());
        Assert.False(certificate.Reload());
        Assert.Equal((next.Thumbprint, next.Subject), (certificate.Thumbprint, certificate.Subject));
        Assert.Equal(next.Thumbprint, await CertificateFolder.ShownAsync(serving.Port));
    }

    [Fact]
    public async Task A_handshake_in_flight_ends_with_the_one_that_it_began_with()
    {
        using var ours = await _files.WriteAsync();
        await using var server = new GracefulServer(Serving.Loopback, Serving.Ok);
        await using var serving = await Serving.StartAsync(server, server.ListenAndServeTlsAsync(_files.Certificate, _files.Key));
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        await socket.ConnectAsync(IPAddress.Loopback, serving.Port);
        await using var held = new HeldBack(new NetworkStream(socket));
        await using var client = new SslStream(held, false, (_, shown, _, _) => shown is not null);
        var handshake = client.AuthenticateAsClientAsync("localhost");
        await held.FlightCame.Soon("The server's half of the handshake");
        using (var next = PemPair.Make())
        {
            server.ReplaceCertificate(next);
        }

        GC.Collect();
        GC.WaitForPendingFinalizers();
        held.GoOn();
        await handshake.Soon("The handshake");
        Assert.Equal(ours.Thumbprint, client.RemoteCertificate!.GetCertHashString());
        await client.WriteAsync("GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"u8.ToArray());
        Assert.StartsWith("HTTP/1.1 200", await new StreamReader(client, Encoding.ASCII).ReadToEndAsync().Soon("The answer"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Half_a_hello_does_not_hold_the_drain()
    {
        using var ours = await _files.WriteAsync();
        await using var app = await StartAsync(options => options.UsePem(_files.Certificate, _files.Key));
        using var silent = await RawClient.ConnectAsync(app.Port);
        using var half = await RawClient.ConnectAsync(app.Port);
        await half.SendAsync(HalfAHello.Bytes);
        using var served = await (await RawClient.ConnectAsync(app.Port)).WithTlsAsync(ours);
        Assert.Equal(200, (await served.GetAsync("/")).Status);
        var report = await app.LeaveAsync();
        Assert.Equal((0, 0), (report.ExitCode, (int)report.ConnectionsAborted));
        Assert.InRange(report.Duration.TotalSeconds, 0.3, 5);
        await half.ReadToEndAsync();
        await silent.ReadToEndAsync();
    }

    private static void Throws(string text, Action act) => Assert.Contains(text, Assert.Throws<CryptographicException>(act).Message, StringComparison.Ordinal);

    private static Task<TestApp> StartAsync(Action<GracefulOptions> options) =>
        TestApp.StartAsync(options, endpoint => endpoint.UseHttps());

    /// <summary>A client's network: what the server says first is held back until it is let go.</summary>
    private sealed class HeldBack(Stream inner) : Stream
    {
        private readonly TaskCompletionSource _came = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private readonly TaskCompletionSource _goOn = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public Task FlightCame => _came.Task;

        public override bool CanRead => true;

        public override bool CanSeek => false;

        public override bool CanWrite => true;

        public override long Length => throw new NotSupportedException();

        public override long Position
        {
            get => throw new NotSupportedException();
            set => throw new NotSupportedException();
        }

        public void GoOn() => _goOn.TrySetResult();

        public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            var bytes = await inner.ReadAsync(buffer, cancellationToken);
            _came.TrySetResult();
            await _goOn.Task;
            return bytes;
        }

        public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default) => inner.WriteAsync(buffer, cancellationToken);

        public override void Flush()
        {
        }

        public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => inner.Write(buffer, offset, count);

        protected override void Dispose(bool disposing)
        {
            if (disposing)
            {
                inner.Dispose();
            }

            base.Dispose(disposing);
        }
    }
}
