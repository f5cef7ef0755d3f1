using System.Globalization;

namespace Graceful;

/// <summary>A request that a drain waited for.</summary>
/// <param name="ConnectionId">The connection it came on, as in the server's logs.</param>
/// <param name="Method">The request's method.</param>
/// <param name="Path">The request's path, without its query.</param>
/// <param name="Age">How long it had been in flight when it finished or was cut off; accurate to about 16 ms.</param>
public sealed record HeldRequest(string ConnectionId, string Method, string Path, TimeSpan Age)
{
    /// <summary>The pattern of its route, when it had one: all that a record says of where it went.</summary>
    internal string? Route { get; init; }

    /// <summary>The request on one line.</summary>
    /// <returns>Method, path, age and connection.</returns>
    public override string ToString() =>
        string.Create(CultureInfo.InvariantCulture, $"{Method} {Path}, {Reporting.Durations.Text(Age)} old, connection {ConnectionId}");
}
