using Graceful;

// Where users look for what endpoints can be given.
namespace Microsoft.AspNetCore.Builder;

/// <summary>What the drain owes the requests of an endpoint.</summary>
public static class GracefulEndpointExtensions
{
    /// <summary>
    /// Says what the drain owes the requests of an endpoint, or of all endpoints of a group; an endpoint's own word comes before its group's.
    /// See <see cref="DrainAttribute"/>.
    /// </summary>
    /// <param name="builder">The endpoint or the group.</param>
    /// <param name="mode">Whether its requests must finish, are told only, may be aborted at once, or do not count.</param>
    /// <typeparam name="TBuilder">The builder's type.</typeparam>
    /// <returns>The builder.</returns>
    /// <exception cref="ArgumentNullException">The builder is null.</exception>
    /// <exception cref="ArgumentOutOfRangeException">There is no such mode.</exception>
    public static TBuilder WithDrain<TBuilder>(this TBuilder builder, DrainMode mode)
        where TBuilder : IEndpointConventionBuilder
    {
        ArgumentNullException.ThrowIfNull(builder);
        return builder.WithMetadata(new DrainAttribute(mode));
    }

    /// <summary>
    /// Gives the requests of an endpoint, or of all endpoints of a group, a limit of their own: the drain waits for them so long, and cuts
    /// off alone who is left then.
    /// </summary>
    /// <param name="builder">The endpoint or the group.</param>
    /// <param name="limit">
    /// From the moment on when the listeners are closed; more than zero, at most a day. The end of the grace period comes first when it is sooner.
    /// </param>
    /// <typeparam name="TBuilder">The builder's type.</typeparam>
    /// <returns>The builder.</returns>
    /// <exception cref="ArgumentNullException">The builder is null.</exception>
    /// <exception cref="ArgumentOutOfRangeException">The limit is out of its bounds.</exception>
    public static TBuilder WithDrain<TBuilder>(this TBuilder builder, TimeSpan limit)
        where TBuilder : IEndpointConventionBuilder
    {
        ArgumentNullException.ThrowIfNull(builder);
        return builder.WithMetadata(new DrainAttribute(limit.TotalSeconds));
    }
}
