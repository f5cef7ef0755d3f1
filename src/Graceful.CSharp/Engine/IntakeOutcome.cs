namespace Graceful.Engine;

/// <summary>How the intake of one listener ended.</summary>
/// <param name="Address">The endpoint, as people write it.</param>
/// <param name="Method">What kept newcomers out.</param>
/// <param name="LastCall">Connections taken from the queue after the accept loop was told to end.</param>
/// <param name="Remark">Why it was not the best method, when it was not.</param>
internal sealed record IntakeOutcome(string Address, string Method, int LastCall, string? Remark);
