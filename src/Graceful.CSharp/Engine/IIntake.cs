namespace Graceful.Engine;

/// <summary>Something that lets connections in, and can stop doing so.</summary>
internal interface IIntake
{
    /// <summary>
    /// Whether somebody waits in the accept queue, and may wait there as long as the intake is paused. Also true where nobody can say
    /// that nobody comes, because the intake was to pause and did not. Never throws.
    /// </summary>
    bool IsAnybodyWaiting { get; }

    /// <summary>
    /// Lets nobody in. Completes when everybody who was accepted is in the table and has entered the gate; who comes from then on waits in
    /// the queue. Bounded in time. Never throws.
    /// </summary>
    Task PauseAsync();

    /// <summary>Lets in again; harmless when it is not paused. Never throws.</summary>
    void Resume();

    /// <summary>
    /// Stops the intake so that no connection that was completed is lost, in bounded time; also a paused one. Never throws.
    /// </summary>
    /// <param name="successorHasIt">Somebody else goes on with the same socket: take nothing from its queue.</param>
    /// <returns>How it was done, for the report.</returns>
    Task<IntakeOutcome> StopAsync(bool successorHasIt);
}
