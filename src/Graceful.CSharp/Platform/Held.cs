using System.Globalization;
using Graceful.Engine;

namespace Graceful.Platform;

/// <summary>What the drain waits for, in numbers; a moment out of date, because nobody is stopped to be counted.</summary>
/// <param name="Connections">Everybody in the table.</param>
/// <param name="Requests">What they have in flight.</param>
/// <param name="Works">Work that is not a request.</param>
/// <param name="OldestWork">Of that, what has been at it the longest; null when there is none.</param>
internal readonly record struct Held(int Connections, int Requests, int Works, string? OldestWork)
{
    public static Held By(LifecycleEngine engine)
    {
        var works = engine.WorkInProgress;
        return new Held(engine.Table.Count, engine.RequestsInFlight, works.Count, works.Count == 0 ? null : works[0].Name);
    }

    public override string ToString()
    {
        var text = $"{Text(Connections, "connection", "connections")} with {Text(Requests, "request", "requests")} in flight";
        return Works == 0 ? text : $"{text}, {Text(Works, "piece of work", "pieces of work")}, the oldest '{OldestWork}'";
    }

    private static string Text(int count, string one, string many) =>
        string.Create(CultureInfo.InvariantCulture, $"{count} {(count == 1 ? one : many)}");
}
