using System.IO.Compression;
using System.Xml.Linq;

namespace Graceful.Packages.Tests;

/// <summary>A package as <c>build.fsx pack</c> made it, with its symbols.</summary>
internal sealed class Package
{
    private Package(string file)
    {
        Files = Read(file);
        Symbols = Read(Path.ChangeExtension(file, ".snupkg"));
        var nuspec = XDocument.Load(new MemoryStream(Files.Single(entry => entry.Key.EndsWith(".nuspec", StringComparison.Ordinal)).Value));
        Metadata = nuspec.Root!.Elements().Single(element => element.Name.LocalName == "metadata");
        Dependencies = Metadata.Descendants().Where(element => element.Name.LocalName == "dependency")
            .ToDictionary(dependency => dependency.Attribute("id")!.Value, dependency => dependency.Attribute("version")!.Value);
    }

    /// <summary>Beside the folder that holds everything that was built.</summary>
    public static string Folder { get; } = Path.GetFullPath(Path.Combine(AppContext.BaseDirectory, "../../../packages"));

    /// <summary>By its id, for theories.</summary>
    public static TheoryData<string> Ids => [.. All.Keys];

    public static IReadOnlyDictionary<string, Package> All { get; } = Open();

    /// <summary>What is in it, by its path.</summary>
    public IReadOnlyDictionary<string, byte[]> Files { get; }

    /// <summary>What is in the package of its symbols, by its path.</summary>
    public IReadOnlyDictionary<string, byte[]> Symbols { get; }

    public XElement Metadata { get; }

    /// <summary>The range of versions of each.</summary>
    public IReadOnlyDictionary<string, string> Dependencies { get; }

    public string Id => Text("id");

    public string Version => Text("version");

    /// <summary>Its library as it was built for these tests.</summary>
    public string Built => Path.GetFullPath(Path.Combine(AppContext.BaseDirectory, $"../../{Id}/{new DirectoryInfo(AppContext.BaseDirectory).Name}/{Id}.dll"));

    public byte[] Library => Files[$"lib/net10.0/{Id}.dll"];

    /// <summary>What the metadata says, and nothing where they say nothing.</summary>
    public string Text(string name) => Metadata.Elements().SingleOrDefault(element => element.Name.LocalName == name)?.Value ?? "";

    private static Dictionary<string, Package> Open()
    {
        var files = Directory.Exists(Folder) ? Directory.GetFiles(Folder, "*.nupkg") : [];
        return files.Length > 0
            ? files.Order(StringComparer.Ordinal).Select(file => new Package(file)).ToDictionary(package => package.Id)
            : throw new InvalidOperationException($"There is no package in {Folder}; 'dotnet fsi build.fsx pack' makes them.");
    }

    private static Dictionary<string, byte[]> Read(string file)
    {
        using var zip = ZipFile.OpenRead(file);
        return zip.Entries.ToDictionary(entry => entry.FullName, entry =>
        {
            using var content = new MemoryStream();
            using var stream = entry.Open();
            stream.CopyTo(content);
            return content.ToArray();
        });
    }
}
