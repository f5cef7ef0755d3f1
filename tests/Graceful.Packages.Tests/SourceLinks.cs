using System.IO.Compression;
using System.Reflection.Metadata;
using System.Text;
using System.Text.Json;

namespace Graceful.Packages.Tests;

/// <summary>Where a debugger finds the sources, when the repository has an address that others can reach.</summary>
public sealed class SourceLinks
{
    /// <summary>The kind of record in which a pdb says it.</summary>
    private static readonly Guid SourceLink = new("CC110556-A091-4D38-9FEC-25AB9A351A6A");

    [Theory]
    [InlineData("csproj", "Linked.cs", "namespace Linked;\n\n/// <summary>Packed.</summary>\npublic sealed class Link\n{\n    internal static int One() => 1;\n}\n")]
    [InlineData("fsproj", "Linked.fs", "module Linked\n\n/// <summary>Packed.</summary>\nlet one () = 1\n")]
    public async Task The_symbols_and_the_package_name_the_public_address_and_the_commit(string project, string source, string text)
    {
        using var repository = new Repository();
        await repository.WriteAsync(project, source, text);
        var commit = await repository.CommitAsync("https://github.com/somebody/graceful.git");
        var (nuspec, pdb) = await repository.PackAsync(project);
        Assert.Contains("url=\"https://github.com/somebody/graceful.git\"", nuspec, StringComparison.Ordinal);
        Assert.Contains($"commit=\"{commit}\"", nuspec, StringComparison.Ordinal);

        using var provider = MetadataReaderProvider.FromPortablePdbStream(new MemoryStream(pdb));
        var symbols = provider.GetMetadataReader();
        var record = symbols.CustomDebugInformation.Select(symbols.GetCustomDebugInformation).Single(record => symbols.GetGuid(record.Kind) == SourceLink);
        var rule = JsonDocument.Parse(symbols.GetBlobBytes(record.Value)).RootElement.GetProperty("documents").EnumerateObject().Single();
        var document = symbols.Documents.Select(handle => symbols.GetString(symbols.GetDocument(handle).Name)).Single(name => name.EndsWith(source, StringComparison.Ordinal));
        Assert.StartsWith(rule.Name.TrimEnd('*'), document, StringComparison.Ordinal);
        Assert.Equal(
            $"https://raw.githubusercontent.com/somebody/graceful/{commit}/src/{source}",
            rule.Value.GetString()!.Replace("*", document[(rule.Name.Length - 1)..], StringComparison.Ordinal));
    }

    [Fact]
    public async Task An_address_that_is_not_at_https_is_in_neither()
    {
        using var repository = new Repository();
        await repository.WriteAsync("csproj", "Linked.cs", "namespace Linked;\n\n/// <summary>Packed.</summary>\npublic sealed class Link;\n");
        await repository.CommitAsync("http://internal.example/graceful.git");
        var (nuspec, pdb) = await repository.PackAsync("csproj");
        Assert.DoesNotContain("internal.example", nuspec, StringComparison.Ordinal);
        Assert.DoesNotContain("internal.example", Encoding.UTF8.GetString(pdb), StringComparison.Ordinal);
    }

    /// <summary>One with a single small project, packed as those of Graceful are.</summary>
    private sealed class Repository : IDisposable
    {
        private static readonly Dictionary<string, string> Environment = new()
        {
            // Nothing of a build stays behind, and nothing of the user's git plays in.
            ["MSBUILDDISABLENODEREUSE"] = "1",
            ["DOTNET_CLI_USE_MSBUILD_SERVER"] = "0",
            ["GIT_CONFIG_GLOBAL"] = "/dev/null",
            ["GIT_CONFIG_SYSTEM"] = "/dev/null",
        };

        private readonly string _folder = Directory.CreateTempSubdirectory("graceful-").FullName;

        public void Dispose() => Directory.Delete(_folder, recursive: true);

        public async Task WriteAsync(string project, string source, string text)
        {
            Directory.CreateDirectory(Path.Combine(_folder, "src"));
            foreach (var name in (string[])["README.md", "LICENSE", "CHANGELOG.md"])
            {
                File.Copy(Beside.Path(name), Path.Combine(_folder, name));
            }

            foreach (var name in (string[])["Directory.Build.props", "src/Directory.Build.props", "src/Directory.Build.targets"])
            {
                File.Copy(Beside.Path(Path.Combine("packing", name)), Path.Combine(_folder, name));
            }

            // FSharp.Core as the SDK has it: no package is needed.
            await File.WriteAllTextAsync(Path.Combine(_folder, $"src/Linked.{project}"), $"""
                <Project Sdk="Microsoft.NET.Sdk">
                  <ItemGroup Condition="'$(MSBuildProjectExtension)' == '.fsproj'">
                    <Compile Include="{source}" />
                    <Reference Include="$(MSBuildToolsPath)/FSharp/FSharp.Core.dll" />
                  </ItemGroup>
                </Project>
                """);
            await File.WriteAllTextAsync(Path.Combine(_folder, "src", source), text);
        }

        /// <returns>The commit's name.</returns>
        public async Task<string> CommitAsync(string address)
        {
            await GitAsync("init", "--quiet");
            await GitAsync("remote", "add", "origin", address);
            await GitAsync("add", ".");
            await GitAsync("-c", "user.name=somebody", "-c", "user.email=somebody@example.org", "commit", "--quiet", "--message", "Everything");
            return (await GitAsync("rev-parse", "HEAD")).Trim();
        }

        public async Task<(string Nuspec, byte[] Pdb)> PackAsync(string project)
        {
            var (code, said) = await Command.DotnetAsync(
                _folder, Environment, "pack", $"src/Linked.{project}", "-c", "Release", "-o", "out", "-v", "quiet", "-nologo", "-p:UseSharedCompilation=false");
            Assert.True(code == 0, said);
            var (package, symbols) = (await EntryAsync("*.nupkg", ".nuspec"), await EntryAsync("*.snupkg", ".pdb"));
            return (Encoding.UTF8.GetString(package), symbols);
        }

        private async Task<byte[]> EntryAsync(string file, string extension)
        {
            await using var zip = await ZipFile.OpenReadAsync(Directory.GetFiles(Path.Combine(_folder, "out"), file).Single());
            await using var entry = await zip.Entries.Single(entry => entry.Name.EndsWith(extension, StringComparison.Ordinal)).OpenAsync();
            using var content = new MemoryStream();
            await entry.CopyToAsync(content);
            return content.ToArray();
        }

        private async Task<string> GitAsync(params string[] arguments)
        {
            var (code, said) = await Command.RunAsync("git", _folder, Environment, arguments);
            Assert.True(code == 0, said);
            return said;
        }
    }
}
