using System.Globalization;

namespace Graceful;

/// <summary>Work that is not a request, begun with <see cref="IGraceful.Begin"/> or <see cref="IGraceful.Run(string, Func{CancellationToken, Task})"/>, or a connection in use of a <see cref="GracefulListener"/>.</summary>
/// <param name="Name">What it was begun as, or whom the connection is from.</param>
/// <param name="Age">How long it has been going on, or had been when it finished or was given up; accurate to about 16 ms.</param>
public sealed record HeldWork(string Name, TimeSpan Age)
{
    /// <summary>The work on one line.</summary>
    /// <returns>Name and age.</returns>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Name}, {Reporting.Durations.Text(Age)} old");
}
