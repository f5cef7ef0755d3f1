namespace Graceful;

/// <summary>
/// How the way out went: the gravest thing that happened on it. Each value is the exit code that stands for it, unless
/// <see cref="GracefulOptions.ExitCodes"/> says another.
/// </summary>
public enum ShutdownOutcome
{
    /// <summary>Nothing was aborted, and no hook or component failed.</summary>
    Clean = 0,

    /// <summary>A hook failed or took too long, or a component failed.</summary>
    Failed = 1,

    /// <summary>The grace period, or the host's patience, was over, and what was left was cut off.</summary>
    TimedOut = 2,

    /// <summary>A second signal, or one that stops at once, cut off what was left.</summary>
    Forced = 3,
}
