using System.IO.Compression;
using System.Reflection.Metadata;
using System.Reflection.PortableExecutable;
using System.Text;
using System.Text.RegularExpressions;

namespace Graceful.Packages.Tests;

/// <summary>What a debugger finds, and that none of it comes from the machine that built it.</summary>
public sealed class Symbols
{
    public static TheoryData<string> Ids => Package.Ids;

    [Theory]
    [MemberData(nameof(Ids))]
    public void They_are_those_of_the_library_and_name_sources_without_a_place_on_any_machine(string id)
    {
        var package = Package.All[id];
        using var library = new PEReader(new MemoryStream(package.Library));
        using var provider = MetadataReaderProvider.FromPortablePdbStream(new MemoryStream(package.Symbols[$"lib/net10.0/{id}.pdb"]));
        var symbols = provider.GetMetadataReader();
        var entry = library.ReadDebugDirectory().Single(entry => entry.Type == DebugDirectoryEntryType.CodeView);
        var codeView = library.ReadCodeViewDebugDirectoryData(entry);
        Assert.Equal(new BlobContentId(codeView.Guid, entry.Stamp), new BlobContentId(symbols.DebugMetadataHeader!.Id));
        Assert.StartsWith("/_/", codeView.Path, StringComparison.Ordinal);

        var sources = symbols.Documents.Select(handle => symbols.GetString(symbols.GetDocument(handle).Name)).ToList();
        Assert.NotEmpty(sources);
        Assert.All(sources, source => Assert.StartsWith("/_/", source, StringComparison.Ordinal));
        Assert.All(sources, source => Assert.DoesNotContain("//", source, StringComparison.Ordinal));
        Assert.Contains(sources, source => source.StartsWith("/_/src/", StringComparison.Ordinal));
    }

    [Theory]
    [MemberData(nameof(Ids))]
    public void No_path_of_the_machine_is_in_anything(string id)
    {
        var package = Package.All[id];
        var root = Path.GetFullPath(Path.Combine(Package.Folder, "../.."));

        // A repository may lie where its sources are said to lie: "/_/src/..." is no path of a machine.
        var path = new Regex($"(?<!/_){Regex.Escape(root)}[/\\\\]|{Regex.Escape(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile))}[/\\\\]\\.");
        Assert.All(package.Files.Concat(package.Symbols), entry => Assert.DoesNotMatch(path, Text(entry.Value)));
        Assert.All(Inflated(package.Library), resource => Assert.DoesNotMatch(path, Text(resource)));
    }

    /// <summary>In both encodings that libraries have.</summary>
    private static string Text(byte[] content) => $"{Encoding.UTF8.GetString(content)}\n{Encoding.Unicode.GetString(content)}\n{Encoding.Unicode.GetString(content.AsSpan(1..))}";

    /// <summary>What the F# compiler keeps for other compilers lies deflated among the resources.</summary>
    private static IEnumerable<byte[]> Inflated(byte[] library)
    {
        using var reader = new PEReader(new MemoryStream(library));
        var metadata = reader.GetMetadataReader();
        foreach (var resource in metadata.ManifestResources.Select(metadata.GetManifestResource))
        {
            if (!metadata.GetString(resource.Name).Contains("CompressedData", StringComparison.Ordinal))
            {
                continue;
            }

            var blob = reader.GetSectionData(reader.PEHeaders.CorHeader!.ResourcesDirectory.RelativeVirtualAddress).GetReader();
            blob.Offset += (int)resource.Offset;
            using var inflated = new MemoryStream();
            using var deflated = new DeflateStream(new MemoryStream(blob.ReadBytes(blob.ReadInt32())), CompressionMode.Decompress);
            deflated.CopyTo(inflated);
            yield return inflated.ToArray();
        }
    }
}
