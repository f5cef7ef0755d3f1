namespace Graceful;

/// <summary>What counts as work on a connection of a <see cref="GracefulListener"/>.</summary>
public enum ConnectionMode
{
    /// <summary>Only <see cref="GracefulConnection.MarkInUse"/> and <see cref="GracefulConnection.MarkIdle"/> count.</summary>
    Manual,

    /// <summary>A read that gives bytes marks the connection in use; <see cref="GracefulConnection.MarkIdle"/> ends that.</summary>
    Automatic,

    /// <summary>
    /// As <see cref="Automatic"/>, and to set a read deadline marks the connection idle: whoever gives his client time for the next
    /// request has nothing else to do for him.
    /// </summary>
    Deadline,
}
