namespace Graceful.Engine;

/// <summary>Something that lets connections in, and can stop doing so.</summary>
internal interface IIntake
{
    /// <summary>
    /// Stops the intake so that no connection that was completed is lost, in bounded time. Never throws.
    /// </summary>
    /// <param name="successorHasIt">Somebody else goes on with the same socket: take nothing from its queue.</param>
    /// <returns>How it was done, for the report.</returns>
    Task<IntakeOutcome> StopAsync(bool successorHasIt);
}
