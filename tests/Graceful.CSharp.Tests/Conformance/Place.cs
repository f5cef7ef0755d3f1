namespace Graceful.Tests.Conformance;

/// <summary>Where a server stands on its way out, as far as it stays there until something is done.</summary>
internal enum Place
{
    Running,

    /// <summary>In the before-drain hook that is stuck.</summary>
    BeforeHook,
    LameDuck,
    Draining,

    /// <summary>In the after-drain hook that is stuck.</summary>
    AfterHook,
    Over,
}
