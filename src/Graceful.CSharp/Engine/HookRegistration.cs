namespace Graceful.Engine;

/// <summary>A hook as the user registered it.</summary>
internal sealed record HookRegistration(
    string Name, bool AfterDrain, TimeSpan Limit, Func<StopReason, CancellationToken, Task> Run);
