using Graceful.Tests.Servers;

namespace Graceful.Tests.Processes;

/// <summary>Kestrel's own watch on certificate files binds endpoints anew, which refuses clients for seconds. It is switched for a whole process.</summary>
public sealed class KestrelsWatch : IDisposable
{
    private readonly CertificateFolder _files = new();

    public void Dispose() => _files.Dispose();

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task It_is_off_where_ours_is_used_and_the_log_says_so(bool watched)
    {
        using var ours = await _files.WriteAsync();
        using var other = await PemPair.WriteAsync(_files["other.pem"], _files["other-key.pem"]);
        using var child = Child.Start(
            "watched-certificate",
            "--cert", _files.Certificate,
            "--key", _files.Key,
            "--WatchCertificateFiles", watched ? "true" : "false",
            "--Kestrel:Endpoints:own:Url", "https://127.0.0.1:0",
            "--Kestrel:Endpoints:own:Certificate:Path", _files["other.pem"],
            "--Kestrel:Endpoints:own:Certificate:KeyPath", _files["other-key.pem"]);
        await child.PortAsync();
        child.Kill(Signal.Terminate);
        Assert.Equal(0, await child.ExitAsync());
        Assert.Equal(!watched, child.Output.Contains("Created file watcher", StringComparison.Ordinal));
        Assert.Equal(watched, child.Output.Contains("Kestrel's own watch on certificate files", StringComparison.Ordinal));
    }
}
