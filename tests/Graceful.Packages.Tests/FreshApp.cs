using System.Text.Json;

namespace Graceful.Packages.Tests;

/// <summary>
/// An application that knows nothing of this repository: in an empty folder, with a cache of its own, from the packages and
/// the user's NuGet source alone.
/// </summary>
internal sealed class FreshApp : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("graceful-").FullName;
    private readonly Dictionary<string, string> _environment;

    public FreshApp()
    {
        _environment = new Dictionary<string, string>
        {
            ["NUGET_PACKAGES"] = Path.Combine(_folder, "cache"),
            // Nothing of a build stays behind.
            ["MSBUILDDISABLENODEREUSE"] = "1",
            ["DOTNET_CLI_USE_MSBUILD_SERVER"] = "0",
        };
    }

    private string Program => Path.Combine(_folder, "out/Fresh.dll");

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    /// <summary>Writes it, builds it, and sees that it got the packages that are meant.</summary>
    /// <param name="project">The name of its project file.</param>
    /// <param name="items">What is in that.</param>
    /// <param name="source">The name of its only source file.</param>
    /// <param name="text">What is in that.</param>
    /// <param name="packages">The packages that it names itself.</param>
    public async Task BuildAsync(string project, string items, string source, string text, params IEnumerable<string> packages)
    {
        var references = packages.Select(id => $"""<PackageReference Include="{id}" Version="{Package.All[id].Version}" />""");
        await WriteAsync("nuget.config", await SourcesAsync());
        await WriteAsync(source, text);
        await WriteAsync(project, $"""
            <Project Sdk="Microsoft.NET.Sdk.Web">
              <PropertyGroup>
                <TargetFramework>net10.0</TargetFramework>
                <Nullable>enable</Nullable>
                <ImplicitUsings>enable</ImplicitUsings>
                <TreatWarningsAsErrors>true</TreatWarningsAsErrors>
              </PropertyGroup>
              <ItemGroup>
                {items}
                {string.Join("\n    ", references)}
              </ItemGroup>
            </Project>
            """);
        var (code, said) = await Command.DotnetAsync(
            _folder, _environment, "build", project, "-c", "Release", "-o", "out", "-v", "quiet", "-nologo", "-p:UseSharedCompilation=false");
        Assert.True(code == 0, said);
        foreach (var library in Directory.GetFiles(Path.Combine(_folder, "out"), "Graceful.*.dll"))
        {
            Assert.Equal(Package.All[Path.GetFileNameWithoutExtension(library)].Library, await File.ReadAllBytesAsync(library));
        }
    }

    /// <summary>Loads it, stops it, and sees that its clients lost nothing.</summary>
    /// <returns>What the probe and the application said.</returns>
    public async Task<string> ProbeAsync()
    {
        var report = Path.Combine(_folder, "probe.json");
        var (code, said) = await Command.DotnetAsync(
            _folder, _environment, Beside.Path("Graceful.Probe.dll"),
            "--keep-alive", "16", "--connect", "16", "--idle", "50", "--slow", "4", "--slow-path", "/slow?ms=700", "--warm-up", "300ms", "--load", "700ms",
            "--show-output", "--json", report, "--", "dotnet", Program, "--urls", "http://127.0.0.1:{port}");
        Assert.True(code == 0, said);
        var run = JsonDocument.Parse(await File.ReadAllTextAsync(report)).RootElement.GetProperty("servers")[0].GetProperty("runs")[0];
        Assert.All((string[])["before", "after"], when => Assert.All(
            (string[])["lostNew", "lostReused", "truncated", "malformed", "unanswered", "otherStatus"],
            outcome => Assert.Equal(0, run.GetProperty(when).GetProperty(outcome).GetInt64())));
        Assert.True(run.GetProperty("after").GetProperty("ok").GetInt64() >= 4, said);
        Assert.Equal((0, false), (run.GetProperty("exit").GetProperty("code").GetInt32(), run.GetProperty("exit").GetProperty("killedByProbe").GetBoolean()));
        return said;
    }

    /// <summary>Ours come from their folder and from nowhere else, whoever publishes one of the same name; the rest from the user's own source.</summary>
    private static async Task<string> SourcesAsync()
    {
        var user = Environment.GetEnvironmentVariable("NUGET_FEED") is { Length: > 0 } feed ? [feed] : await EnabledAsync();
        return $"""
            <configuration>
              <packageSources>
                <clear />
                <add key="ours" value="{Package.Folder}" />
                {string.Join("\n    ", user.Select((address, index) => $"""<add key="user{index}" value="{address}" />"""))}
              </packageSources>
              <packageSourceMapping>
                <clear />
                <packageSource key="ours"><package pattern="Graceful.*" /></packageSource>
                {string.Join("\n    ", user.Select((_, index) => $"""<packageSource key="user{index}"><package pattern="*" /></packageSource>"""))}
              </packageSourceMapping>
            </configuration>
            """;
    }

    private static async Task<string[]> EnabledAsync()
    {
        var (_, said) = await Command.DotnetAsync(".", new Dictionary<string, string>(), "nuget", "list", "source", "--format", "short");
        return [.. said.Split('\n').Where(line => line.StartsWith("E ", StringComparison.Ordinal)).Select(line => line[2..].Trim())];
    }

    private Task WriteAsync(string name, string text) => File.WriteAllTextAsync(Path.Combine(_folder, name), text);
}
