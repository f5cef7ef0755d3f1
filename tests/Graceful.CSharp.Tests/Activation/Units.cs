using Graceful.Tests.Processes;

namespace Graceful.Tests.Activation;

/// <summary>The units of deploy/systemd, as systemd itself reads them.</summary>
public sealed class Units : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("graceful");

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public async Task Systemd_finds_nothing_wrong_with_them()
    {
        var units = Directory.GetFiles(Path.Combine(AppContext.BaseDirectory, "Units"));
        Assert.Equal(
            ["activated-each.socket", "activated-each@.service", "activated.service", "activated.socket"],
            units.Select(Path.GetFileName).Order(StringComparer.Ordinal));
        foreach (var unit in units)
        {
            // It looks whether the program is there.
            var text = (await File.ReadAllTextAsync(unit)).Replace("/opt/activated/Activated", Environment.ProcessPath, StringComparison.Ordinal);
            await File.WriteAllTextAsync(Path.Combine(_folder.FullName, Path.GetFileName(unit)), text);
        }

        using var verify = Child.StartProgram("systemd-analyze", ["verify", "--man=no", .. Directory.GetFiles(_folder.FullName)]);
        Assert.Equal(0, await verify.ExitAsync());

        // It warns of other units of this machine too.
        Assert.DoesNotContain(verify.Output.Split('\n'), line => line.Contains("activated", StringComparison.Ordinal));
    }
}
