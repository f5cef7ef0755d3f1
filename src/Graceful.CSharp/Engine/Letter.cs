using Graceful.Core;

namespace Graceful.Engine;

/// <summary>What lies in the mailbox.</summary>
/// <param name="Happened">The event.</param>
internal readonly record struct Letter(Event Happened)
{
    /// <summary>Of a hook's end, the run that it ends. Once that is cancelled nobody wants to hear of it: another may be under way.</summary>
    public CancellationTokenSource? Run { get; init; }

    /// <summary>Of an application's wish to stop that came second, the way out that it joins. When that was undone, so was the wish.</summary>
    public Departure? Joins { get; init; }

    /// <summary>Of a wish to stop, who has it; null when that was not said.</summary>
    public string? By { get; init; }

    /// <summary>Of a wish that may be refused, who waits to hear of it: true when it was granted, of a drill at its end.</summary>
    public TaskCompletionSource<bool>? Answer { get; init; }
}
