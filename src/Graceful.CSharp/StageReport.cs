namespace Graceful;

/// <summary>A stage of the way out.</summary>
/// <param name="Name">Its name, <c>lame duck</c> for instance.</param>
/// <param name="Duration">How long it took.</param>
public sealed record StageReport(string Name, TimeSpan Duration);
