namespace Graceful.Engine;

/// <summary>Somebody who may prevent stops that the application asks for.</summary>
internal sealed record Prevention(string Name, Func<StopReason, string?> WhyNot);
