using System.Runtime.InteropServices;
using System.Security.Cryptography.X509Certificates;
using Graceful.Tests.Support;
using Microsoft.AspNetCore.Hosting;

namespace Graceful.Tests.Servers;

/// <summary>The files of the server's certificate are watched, however somebody replaces them.</summary>
public sealed partial class WatchedCertificates : IDisposable
{
    private readonly CertificateFolder _files = new();

    public void Dispose() => _files.Dispose();

    [Fact]
    public async Task What_is_written_over_them_is_shown_and_nobody_is_disturbed()
    {
        using var ours = await _files.WriteAsync();
        await using var app = await StartAsync();
        using var kept = await (await RawClient.ConnectAsync(app.Port)).WithTlsAsync(ours);
        Assert.Equal(200, (await kept.GetAsync("/")).Status);
        using var next = await _files.WriteAsync();
        await UntilShown(app, next);
        Assert.Equal(200, (await kept.GetAsync("/")).Status);
        await app.Log.Until($"From now on handshakes get the certificate '{next.Subject}'");
    }

    [Fact]
    public async Task A_rename_over_each_of_them_is_noticed()
    {
        using var ours = await _files.WriteAsync();
        await using var app = await StartAsync();
        using var next = await PemPair.WriteAsync(_files["new-cert.pem"], _files["new-key.pem"]);

        // Of the very time and length of the old ones.
        foreach (var (from, to) in new[] { (_files["new-cert.pem"], _files.Certificate), (_files["new-key.pem"], _files.Key) })
        {
            File.SetLastWriteTimeUtc(from, File.GetLastWriteTimeUtc(to));
            File.Move(from, to, overwrite: true);
        }

        await UntilShown(app, next);
    }

    [Fact]
    public async Task A_link_that_leads_elsewhere_is_noticed_as_Kubernetes_makes_it()
    {
        using var ours = await WriteVersionAsync("1");
        Directory.CreateSymbolicLink(_files["..data"], "1");
        File.CreateSymbolicLink(_files["tls.crt"], "..data/cert.pem");
        File.CreateSymbolicLink(_files["tls.key"], "..data/key.pem");
        await using var app = await StartAsync(options => options.UsePem(_files["tls.crt"], _files["tls.key"]));
        Assert.Equal(ours.Thumbprint, await CertificateFolder.ShownAsync(app.Port));
        using var next = await WriteVersionAsync("2");
        Directory.CreateSymbolicLink(_files["..data_tmp"], "2");
        Assert.Equal(0, Rename(_files["..data_tmp"], _files["..data"]));
        await UntilShown(app, next);
    }

    [Fact]
    public async Task Links_of_their_own_are_noticed_as_certbot_makes_them()
    {
        using var ours = await WriteVersionAsync("1");
        File.CreateSymbolicLink(_files.Certificate, "1/cert.pem");
        File.CreateSymbolicLink(_files.Key, "1/key.pem");
        await using var app = await StartAsync();
        using var next = await WriteVersionAsync("2");
        foreach (var (link, name) in new[] { (_files.Certificate, "cert.pem"), (_files.Key, "key.pem") })
        {
            File.Delete(link);
            File.CreateSymbolicLink(link, Path.Combine("2", name));
        }

        await UntilShown(app, next);
    }

    [Fact]
    public async Task A_pair_that_is_half_written_waits_for_its_other_half()
    {
        using var ours = await _files.WriteAsync();
        using var rig = new Rig(_files);
        using var next = PemPair.Make();
        await File.WriteAllTextAsync(_files.Certificate, next.ExportCertificatePem());
        rig.Look();
        await File.WriteAllTextAsync(_files.Key, PemPair.KeyOf(next));
        rig.Look();
        Assert.Equal(ours.Thumbprint, rig.Thumbprint);
        rig.Look();
        Assert.Equal(next.Thumbprint, rig.Thumbprint);
        Assert.Empty(rig.Refusals);
    }

    [Fact]
    public async Task What_does_not_fit_keeps_the_one_in_use_and_is_said_once()
    {
        using var ours = await _files.WriteAsync();
        using var rig = new Rig(_files);
        using var next = PemPair.Make();
        await File.WriteAllTextAsync(_files.Certificate, next.ExportCertificatePem());
        for (var look = 0; look < 10; look++)
        {
            rig.Look();
        }

        var refusal = Assert.Single(rig.Refusals);
        Assert.Contains($"The certificate '{_files.Certificate}' and the key '{_files.Key}' can't be used: ", refusal, StringComparison.Ordinal);
        Assert.Contains($"Handshakes go on to get '{ours.Subject}'", refusal, StringComparison.Ordinal);
        Assert.Equal(ours.Thumbprint, rig.Thumbprint);
        await File.WriteAllTextAsync(_files.Key, PemPair.KeyOf(next));
        rig.Look();
        rig.Look();
        Assert.Equal(next.Thumbprint, rig.Thumbprint);
        Assert.Single(rig.Refusals);
    }

    [Fact]
    public async Task Each_change_to_something_bad_is_said()
    {
        using var ours = await _files.WriteAsync();
        using var rig = new Rig(_files);
        File.Delete(_files.Key);
        rig.LookTwice();
        Assert.Contains(_files.Key, Assert.Single(rig.Refusals), StringComparison.Ordinal);
        var now = DateTimeOffset.UtcNow;
        using var expired = PemPair.Make(from: now.AddDays(-2), to: now.AddDays(-1));
        await PemPair.WriteAsync(expired, _files.Certificate, _files.Key);
        rig.LookTwice();
        Assert.Contains($"'{_files.Certificate}'", rig.Refusals[1], StringComparison.Ordinal);
        Assert.Contains("can't be used: it has expired", rig.Refusals[1], StringComparison.Ordinal);
        await File.WriteAllTextAsync(_files.Certificate, "nonsense");
        rig.LookTwice();
        Assert.Equal(3, rig.Refusals.Count);

        // The one in use comes back, with other bytes: nothing is wrong any more, and nothing is new.
        await PemPair.WriteAsync(ours, _files.Certificate, _files.Key);
        await File.AppendAllTextAsync(_files.Certificate, "\n");
        rig.LookTwice();
        Assert.Equal((3, 0, ours.Thumbprint), (rig.Refusals.Count, rig.Replacements, rig.Thumbprint));
    }

    [Fact]
    public async Task One_whose_time_has_not_come_is_shown_when_it_has()
    {
        using var ours = await _files.WriteAsync();
        using var rig = new Rig(_files);
        using var next = PemPair.Make(from: DateTimeOffset.UtcNow.AddSeconds(3));
        await PemPair.WriteAsync(next, _files.Certificate, _files.Key);
        rig.LookTwice();
        Assert.Contains("its time has not come", Assert.Single(rig.Refusals), StringComparison.Ordinal);
        Assert.Equal(ours.Thumbprint, rig.Thumbprint);
        await Limits.Until(() => DateTimeOffset.UtcNow >= next.NotBefore, "its time comes");
        rig.Look();
        Assert.Equal(next.Thumbprint, rig.Thumbprint);
    }

    [Fact]
    public async Task One_that_the_application_has_put_in_its_place_stays_until_the_files_change()
    {
        using var ours = await _files.WriteAsync();
        using var rig = new Rig(_files);
        using var own = PemPair.Make();
        rig.Certificate.Replace(own);
        rig.LookTwice();
        Assert.Equal(own.Thumbprint, rig.Thumbprint);
        using var next = await _files.WriteAsync();
        rig.LookTwice();
        Assert.Equal(next.Thumbprint, rig.Thumbprint);
    }

    [Fact]
    public async Task Files_that_changed_before_the_watch_began_are_noticed()
    {
        using var ours = await _files.WriteAsync();
        var certificate = ServerCertificate.FromPem(_files.Certificate, _files.Key);
        using var next = await _files.WriteAsync();
        using var rig = new Rig(_files, certificate);
        rig.Look();
        Assert.Equal(next.Thumbprint, rig.Thumbprint);
    }

    [Fact]
    public async Task A_watch_that_is_over_looks_no_more()
    {
        using var ours = await _files.WriteAsync();
        var rig = new Rig(_files);
        rig.Dispose();
        using var next = await _files.WriteAsync();
        rig.LookTwice();
        Assert.Equal(ours.Thumbprint, rig.Thumbprint);
    }

    [Fact]
    public async Task Files_that_have_just_changed_are_looked_at_again_soon_and_others_after_the_interval()
    {
        using var ours = await _files.WriteAsync();
        using var rig = new Rig(_files, interval: TimeSpan.FromSeconds(5));
        rig.Time.Advance(TimeSpan.FromSeconds(5));
        Assert.Equal(TimeSpan.FromSeconds(5), rig.Time.NextDue);
        using var next = await _files.WriteAsync();
        rig.Time.Advance(TimeSpan.FromSeconds(5));
        Assert.Equal(TimeSpan.FromMilliseconds(250), rig.Time.NextDue);
        rig.Time.Advance(TimeSpan.FromMilliseconds(250));
        Assert.Equal((next.Thumbprint, TimeSpan.FromSeconds(5)), (rig.Thumbprint, rig.Time.NextDue));
    }

    [Fact]
    public async Task A_look_that_fails_does_not_end_the_watch()
    {
        using var ours = await _files.WriteAsync();
        using var rig = new Rig(_files);
        rig.Certificate.OnReplaced(_ => throw new InvalidOperationException("as planned"));
        using var first = await _files.WriteAsync();
        rig.LookTwice();
        using var second = await _files.WriteAsync();
        rig.LookTwice();
        Assert.Equal(second.Thumbprint, rig.Thumbprint);
    }

    [Theory]
    [InlineData(99)]
    [InlineData(86_400_001)]
    public async Task An_interval_out_of_bounds_is_refused(int milliseconds)
    {
        using var ours = await _files.WriteAsync();
        var e = await Assert.ThrowsAsync<Microsoft.Extensions.Options.OptionsValidationException>(
            () => StartAsync(options => options.CertificateWatchInterval = TimeSpan.FromMilliseconds(milliseconds)));
        Assert.Contains("CertificateWatchInterval is ", e.Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentOutOfRangeException>(
            () => ServerCertificate.FromPem(_files.Certificate, _files.Key).Watch(TimeSpan.FromMilliseconds(milliseconds)));
    }

    [Fact]
    public async Task There_must_be_files_to_watch()
    {
        using var ours = PemPair.Make();
        foreach (var certificate in (ServerCertificate?[])[null, ServerCertificate.From(ours)])
        {
            var e = await Assert.ThrowsAsync<Microsoft.Extensions.Options.OptionsValidationException>(() => TestApp.StartAsync(options =>
            {
                options.WatchCertificateFiles = true;
                if (certificate is not null)
                {
                    options.UseCertificate(certificate);
                }
            }));
            Assert.Contains("WatchCertificateFiles is true, and there are no files", e.Message, StringComparison.Ordinal);
        }
    }

    // A link that leads to a folder is no file to the runtime, which renames nothing over another folder.
    [LibraryImport("libc", EntryPoint = "rename", StringMarshalling = StringMarshalling.Utf8)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int Rename(string from, string to);

    private static Task UntilShown(TestApp app, X509Certificate2 certificate) =>
        Limits.Until(() => CertificateFolder.ShownAsync(app.Port).GetAwaiter().GetResult() == certificate.Thumbprint, "the new certificate is shown");

    private async Task<X509Certificate2> WriteVersionAsync(string folder)
    {
        Directory.CreateDirectory(_files[folder]);
        return await PemPair.WriteAsync(Path.Combine(_files[folder], "cert.pem"), Path.Combine(_files[folder], "key.pem"));
    }

    private Task<TestApp> StartAsync(Action<GracefulOptions>? more = null) => TestApp.StartAsync(
        options =>
        {
            options.UsePem(_files.Certificate, _files.Key);
            options.WatchCertificateFiles = true;
            options.CertificateWatchInterval = TimeSpan.FromMilliseconds(100);
            more?.Invoke(options);
        },
        endpoint => endpoint.UseHttps());

    /// <summary>A watch whose looks are the test's.</summary>
    private sealed class Rig : IDisposable
    {
        private readonly LogBook _log = new();
        private readonly TimeSpan _interval;
        private readonly IDisposable _watch;

        public Rig(CertificateFolder files, ServerCertificate? certificate = null, TimeSpan? interval = null)
        {
            Certificate = certificate ?? ServerCertificate.FromPem(files.Certificate, files.Key);
            Certificate.OnReplaced(_ => Replacements++);
            _interval = interval ?? TimeSpan.FromMilliseconds(100);
            _watch = Certificate.Watch(_interval, _log.CreateLogger("watch"), Time);
        }

        public ManualTime Time { get; } = new();

        public ServerCertificate Certificate { get; }

        public string Thumbprint => Certificate.Thumbprint;

        public int Replacements { get; private set; }

        public List<string> Refusals => [.. _log.Entries.Where(entry => entry.Id.Id == 72).Select(entry => entry.Text)];

        public void Look() => Time.Advance(_interval);

        public void LookTwice()
        {
            Look();
            Look();
        }

        public void Dispose()
        {
            _watch.Dispose();
            _log.Dispose();
        }
    }
}
