using System.Diagnostics;

namespace Graceful.Doorkeeper;

/// <summary>How long after the last answer the server decides to leave: a guess at first, then the middle of what was seen last.</summary>
internal sealed class Edge(TimeSpan idleLimit)
{
    private const int Most = 15;

    private readonly Queue<TimeSpan> _seen = new();

    public TimeSpan Guess => _seen.Count == 0 ? idleLimit : _seen.Order().ElementAt(_seen.Count / 2);

    public void Seen(long lastAnswer, long leaving)
    {
        if (leaving <= lastAnswer)
        {
            return;
        }

        _seen.Enqueue(Stopwatch.GetElapsedTime(lastAnswer, leaving));
        if (_seen.Count > Most)
        {
            _seen.Dequeue();
        }
    }
}
