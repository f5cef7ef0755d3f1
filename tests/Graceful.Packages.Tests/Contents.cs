using System.Diagnostics;
using System.Text;
using System.Text.RegularExpressions;
using System.Xml.Linq;

namespace Graceful.Packages.Tests;

/// <summary>What is in a package, and what it says of itself.</summary>
public sealed partial class Contents
{
    public static TheoryData<string> Ids => Package.Ids;

    [Fact]
    public void The_core_and_its_faces_for_CSharp_and_Giraffe_are_packages() =>
        Assert.Equal(["Graceful.CSharp", "Graceful.Core", "Graceful.Giraffe"], Package.All.Keys.Order(StringComparer.Ordinal));

    [Theory]
    [MemberData(nameof(Ids))]
    public void It_holds_the_library_of_this_build_and_nothing_that_nobody_asked_for(string id)
    {
        var package = Package.All[id];
        Assert.True(package.Library.SequenceEqual(File.ReadAllBytes(package.Built)), $"{id} is not of this build; 'dotnet fsi build.fsx pack' packs it again.");
        Assert.Equal(
            new HashSet<string> { "LICENSE", "README.md", $"{id}.nuspec", $"lib/net10.0/{id}.dll", $"lib/net10.0/{id}.xml" },
            package.Files.Keys.Where(IsOurs).ToHashSet());
        Assert.Equal(new HashSet<string> { $"{id}.nuspec", $"lib/net10.0/{id}.pdb" }, package.Symbols.Keys.Where(IsOurs).ToHashSet());
    }

    [Theory]
    [MemberData(nameof(Ids))]
    public void Its_version_and_notes_are_those_of_the_changelog(string id)
    {
        var package = Package.All[id];
        Assert.Equal(Changelog.Version, package.Version);
        Assert.Equal(Changelog.Notes, package.Text("releaseNotes").ReplaceLineEndings("\n"));
        Assert.Matches(Version(), package.Version);
        Assert.Equal(package.Version, FileVersionInfo.GetVersionInfo(package.Built).ProductVersion!.Split('+')[0]);
    }

    [Theory]
    [MemberData(nameof(Ids))]
    public void It_says_what_it_is_whose_it_is_and_under_which_license(string id)
    {
        var package = Package.All[id];
        Assert.Equal(id, package.Id);
        Assert.All((string[])["title", "description", "tags", "authors"], name => Assert.NotEqual("", package.Text(name)));
        Assert.Contains(package.Text("authors"), Beside.Text("LICENSE"), StringComparison.Ordinal);
        Assert.Equal(("MIT", "README.md"), (package.Text("license"), package.Text("readme")));
        Assert.Equal(Beside.Text("LICENSE"), Encoding.UTF8.GetString(package.Files["LICENSE"]));
    }

    [Theory]
    [MemberData(nameof(Ids))]
    public void Its_README_is_the_part_for_users_and_names_nothing_that_is_not_there(string id)
    {
        var readme = Encoding.UTF8.GetString(Package.All[id].Files["README.md"]).ReplaceLineEndings("\n");
        var whole = new Queue<string>(Beside.Text("README.md").Split('\n'));
        var stray = readme.TrimEnd().Split('\n').FirstOrDefault(line => !IsNext(line, whole));
        Assert.True(stray is null, $"It is not in the README, or not there: {stray}");
        Assert.Contains("dotnet add package Graceful.CSharp", readme, StringComparison.Ordinal);
        Assert.Contains("dotnet add package Graceful.Giraffe", readme, StringComparison.Ordinal);
        Assert.Contains("| `GracePeriod` |", readme, StringComparison.Ordinal);
        Assert.Contains("exited with code 3.", readme, StringComparison.Ordinal);
        Assert.DoesNotMatch(InRepository(), readme);
    }

    [Theory]
    [MemberData(nameof(Ids))]
    public void Its_README_links_to_nothing_that_is_not_there(string id)
    {
        var readme = Encoding.UTF8.GetString(Package.All[id].Files["README.md"]).ReplaceLineEndings("\n");
        Assert.DoesNotMatch(RelativeLink(), readme);

        // As GitHub and NuGet name the headings.
        var anchors = Heading().Matches(CodeBlock().Replace(readme, ""))
            .Select(heading => NotInAnchors().Replace(heading.Groups[1].Value.ToLowerInvariant(), "").Replace(' ', '-')).ToList();
        Assert.Contains("with-giraffe", anchors);
        Assert.All(AnchorLink().Matches(readme), link => Assert.Contains(link.Groups[1].Value, anchors));
    }

    [Theory]
    [MemberData(nameof(Ids))]
    public void Its_members_are_documented(string id)
    {
        var documentation = XDocument.Load(new MemoryStream(Package.All[id].Files[$"lib/net10.0/{id}.xml"]));
        Assert.Equal(id, documentation.Descendants("assembly").Single().Element("name")!.Value);
        Assert.NotEmpty(documentation.Descendants("member"));
        Assert.All(documentation.Descendants("member"), member => Assert.True(
            member.Value.Trim() != "" || member.Element("inheritdoc") is not null, $"{member.Attribute("name")!.Value} has no documentation."));
    }

    [Theory]
    [MemberData(nameof(Ids))]
    public void It_depends_on_its_neighbours_of_the_same_version_and_on_the_least_FSharp_Core(string id)
    {
        var package = Package.All[id];
        var neighbours = package.Dependencies.Where(dependency => dependency.Key.StartsWith("Graceful.", StringComparison.Ordinal)).ToList();
        Assert.All(neighbours, neighbour => Assert.Equal((true, package.Version), (Package.All.ContainsKey(neighbour.Key), neighbour.Value)));
        Assert.Equal(["FSharp.Core"], package.Dependencies.Keys.Except(neighbours.Select(neighbour => neighbour.Key)));

        // No brackets: from there on upwards, as applications bring an FSharp.Core of their own.
        Assert.Matches(Version(), package.Dependencies["FSharp.Core"]);
    }

    [Fact]
    public void The_face_for_CSharp_needs_the_core_and_ASPNET_Core_and_the_core_needs_nobody()
    {
        var (core, face) = (Package.All["Graceful.Core"], Package.All["Graceful.CSharp"]);
        Assert.Equal(["FSharp.Core"], core.Dependencies.Keys);
        Assert.Equal(["FSharp.Core", "Graceful.Core"], face.Dependencies.Keys.Order(StringComparer.Ordinal));
        var framework = face.Metadata.Descendants().Single(element => element.Name.LocalName == "frameworkReference");
        Assert.Equal("Microsoft.AspNetCore.App", framework.Attribute("name")!.Value);
    }

    [Theory]
    [MemberData(nameof(Ids))]
    public void Its_public_surface_is_locked_by_an_approval_test(string id) => Assert.True(
        File.Exists(Beside.Path($"PublicApi.{id}.txt")), $"There is no PublicApi.{id}.txt in any test project: a package's public members are to be approved.");

    /// <summary>Whether a line comes, after others or at once.</summary>
    private static bool IsNext(string line, Queue<string> lines)
    {
        while (lines.TryDequeue(out var next))
        {
            if (next == line)
            {
                return true;
            }
        }

        return false;
    }

    private static bool IsOurs(string path) => path is not ("_rels/.rels" or "[Content_Types].xml") && !path.StartsWith("package/", StringComparison.Ordinal);

    [GeneratedRegex(@"\]\((?!https://|#)")]
    private static partial Regex RelativeLink();

    [GeneratedRegex(@"\]\(#([^)]*)\)")]
    private static partial Regex AnchorLink();

    [GeneratedRegex(@"^#+ +(.*?) *$", RegexOptions.Multiline)]
    private static partial Regex Heading();

    [GeneratedRegex(@"[^\w\- ]")]
    private static partial Regex NotInAnchors();

    [GeneratedRegex(@"^```.*?^```", RegexOptions.Multiline | RegexOptions.Singleline)]
    private static partial Regex CodeBlock();

    /// <summary>Files and targets that only the repository has, and the signs around what is said of them.</summary>
    [GeneratedRegex(@"build\.fsx|\b(src|tests|samples|bench|proof|docs)/|<!--")]
    private static partial Regex InRepository();

    [GeneratedRegex(@"^\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?$")]
    private static partial Regex Version();
}
