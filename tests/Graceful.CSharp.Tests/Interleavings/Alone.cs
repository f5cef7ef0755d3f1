namespace Graceful.Tests.Interleavings;

/// <summary>Races want the processors for themselves, and other tests want them back.</summary>
[CollectionDefinition(nameof(Alone), DisableParallelization = true)]
public sealed class Alone;
