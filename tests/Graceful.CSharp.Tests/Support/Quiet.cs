namespace Graceful.Tests.Support;

/// <summary>Quiet periods for tests, and the wait that lies inside them.</summary>
internal static class Quiet
{
    /// <summary>So long that <see cref="LessAsync"/> is less on a busy machine as well.</summary>
    public static void Long(GracefulOptions options) => options.QuietPeriod = TimeSpan.FromSeconds(2);

    /// <summary>A client's time to think, well inside the quiet period. Part of the scenario, not a wait for something.</summary>
    public static Task LessAsync() => Task.Delay(300);
}
