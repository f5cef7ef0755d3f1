namespace Graceful.Probe;

// The clients of one run. They read the stage from the board that they were made with.
internal interface ILoad
{
    // Both may be read at any time, for rates.
    long AnswersSoFar { get; }

    long ConnectionsSoFar { get; }

    // How many idle connections are still to be opened.
    int IdleToOpen { get; }

    void Start();

    // Waits until nothing is in flight any more; false when that took longer than the limit.
    bool Join(TimeSpan limit);

    // Only after Join returned true.
    Tally Tally();
}
