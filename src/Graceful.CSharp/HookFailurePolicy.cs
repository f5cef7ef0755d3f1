namespace Graceful;

/// <summary>What follows when a hook fails or takes longer than its limit.</summary>
public enum HookFailurePolicy
{
    /// <summary>It is reported, and everything goes on: those that wait for it begin.</summary>
    Continue,

    /// <summary>
    /// Its stage is cut short as by a second signal: before the drain, what is left is skipped and aborted; after it, the hooks
    /// that run beside it are cancelled. The exit code is 1, or what is graver.
    /// </summary>
    Force,
}
