namespace Graceful;

/// <summary>A hook that ran, or should have.</summary>
/// <param name="Name">The name it was registered with.</param>
/// <param name="Outcome"><c>succeeded</c>, <c>timed out</c>, <c>cancelled</c>, <c>skipped</c>, or <c>failed</c> with the error.</param>
/// <param name="Duration">How long it was waited for.</param>
public sealed record HookReport(string Name, string Outcome, TimeSpan Duration)
{
    /// <summary>The hook on one line.</summary>
    /// <returns>Name, outcome and duration.</returns>
    public override string ToString() => $"{Name}: {Outcome} after {Reporting.Durations.Text(Duration)}";
}
