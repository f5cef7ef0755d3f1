namespace Graceful.Packages.Tests;

/// <summary>Files that the build copies beside the tests.</summary>
internal static class Beside
{
    public static string Path(string name) => System.IO.Path.Combine(AppContext.BaseDirectory, name);

    public static string Text(string name) => File.ReadAllText(Path(name)).ReplaceLineEndings("\n");
}
