using System.Diagnostics;

namespace Graceful.Doorkeeper;

/// <summary>
/// How long after the last answer the server decides to leave, as its clients meet it: the moment at which as many volleys come too early as
/// come too late. What the server says of itself comes some milliseconds later.
/// </summary>
internal sealed class Edge(TimeSpan idleLimit)
{
    private static readonly TimeSpan Step = TimeSpan.FromMilliseconds(0.5);
    private static readonly TimeSpan Late = TimeSpan.FromMilliseconds(100);

    public TimeSpan Guess { get; private set; } = idleLimit;

    /// <summary>A round is over in which nobody left: the first shot called the server back.</summary>
    public void NotReached() => Guess += Step;

    /// <param name="lastAnswer">Of the round before.</param>
    /// <param name="firstShot">What leaves long after it was started by the shots, and says nothing about the edge that they were aimed at.</param>
    /// <param name="leaving">When it was said.</param>
    public void Seen(long lastAnswer, long firstShot, long leaving)
    {
        if (leaving > lastAnswer && Stopwatch.GetElapsedTime(firstShot, leaving) < Late)
        {
            Guess -= Step;
        }
    }
}
