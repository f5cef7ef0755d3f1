namespace Graceful.Engine;

/// <summary>The engine behind what a user holds.</summary>
internal static class EngineOwner
{
    /// <exception cref="ArgumentException">It is not ours.</exception>
    public static LifecycleEngine EngineOf(IGraceful graceful) =>
        (graceful as IEngineOwner)?.Engine ?? throw new ArgumentException(
            $"The {nameof(IGraceful)} is a {graceful.GetType()}; allowed is the service of AddGraceful, or a {nameof(GracefulLifecycle)}.", nameof(graceful));
}
