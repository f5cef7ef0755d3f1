namespace Graceful.Tests.Conformance;

internal enum HookKind
{
    None,
    Good,

    /// <summary>It throws.</summary>
    Bad,

    /// <summary>It waits for its token.</summary>
    Stuck,
}
