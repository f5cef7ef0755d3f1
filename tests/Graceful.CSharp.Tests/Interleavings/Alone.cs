namespace Graceful.Tests.Interleavings;

/// <summary>Who runs while no other test does: a race wants the processors for itself, and some want the process.</summary>
[CollectionDefinition(nameof(Alone), DisableParallelization = true)]
public sealed class Alone;
