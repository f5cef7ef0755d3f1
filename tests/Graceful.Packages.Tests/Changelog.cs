using System.Text.RegularExpressions;

namespace Graceful.Packages.Tests;

/// <summary>What the newest heading of CHANGELOG.md says, and what stands below it.</summary>
internal static partial class Changelog
{
    private static readonly string[] Sections = NewestHeading().Split(Beside.Text("CHANGELOG.md"));

    public static string Version => Sections[1];

    public static string Notes => Sections[2].Trim();

    [GeneratedRegex(@"^## \[(.*)\].*$", RegexOptions.Multiline)]
    private static partial Regex NewestHeading();
}
