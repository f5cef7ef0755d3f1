namespace Graceful;

/// <summary>What ended the lifetime of an <see cref="IdleTracker"/>.</summary>
public enum IdleReason
{
    /// <summary>Nothing yet.</summary>
    None,

    /// <summary>Nothing was busy for its limit.</summary>
    Expired,

    /// <summary>The token that it was given fired before.</summary>
    ParentCancelled,
}
