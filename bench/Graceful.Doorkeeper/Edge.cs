using System.Diagnostics;

namespace Graceful.Doorkeeper;

/// <summary>How long after the last answer the server decides to leave: a guess at first, then the middle of what was seen last.</summary>
internal sealed class Edge(TimeSpan idleLimit)
{
    private const int Most = 15;

    private static readonly TimeSpan Step = TimeSpan.FromMilliseconds(1);
    private static readonly TimeSpan Late = TimeSpan.FromMilliseconds(20);

    private readonly Queue<TimeSpan> _seen = new();
    private TimeSpan _later;

    public TimeSpan Guess => (_seen.Count == 0 ? idleLimit : _seen.Order().ElementAt(_seen.Count / 2)) + _later;

    /// <summary>A round is over in which nobody left: all shots came before the edge.</summary>
    public void NotReached() => _later += Step;

    /// <param name="lastAnswer">Of the round before.</param>
    /// <param name="firstShot">What leaves long after it was started by the shots, and says nothing about the edge that they were aimed at.</param>
    /// <param name="leaving">When it was said.</param>
    public void Seen(long lastAnswer, long firstShot, long leaving)
    {
        if (leaving <= lastAnswer || Stopwatch.GetElapsedTime(firstShot, leaving) > Late)
        {
            return;
        }

        _later = TimeSpan.Zero;
        _seen.Enqueue(Stopwatch.GetElapsedTime(lastAnswer, leaving));
        if (_seen.Count > Most)
        {
            _seen.Dequeue();
        }
    }
}
