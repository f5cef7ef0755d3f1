namespace Graceful;

/// <summary>What counts as work on a connection of a <see cref="GracefulListener"/>.</summary>
public enum ConnectionMode
{
    /// <summary>
    /// Only <see cref="GracefulConnection.MarkInUse"/> and <see cref="GracefulConnection.MarkIdle"/> count. A connection that is never marked is
    /// <see cref="ConnectionPhase.New"/> as long as it is open, in this mode whatever it does and in the others while it is silent, and so keeps a server
    /// with a <see cref="GracefulOptions.IdleLimit"/>: to end that, mark it in use and idle once.
    /// </summary>
    Manual,

    /// <summary>A read that gives bytes marks the connection in use; <see cref="GracefulConnection.MarkIdle"/> ends that.</summary>
    Automatic,

    /// <summary>
    /// As <see cref="Automatic"/>, and to set a read deadline marks the connection idle: whoever gives his client time for the next
    /// request has nothing else to do for him.
    /// </summary>
    Deadline,
}
