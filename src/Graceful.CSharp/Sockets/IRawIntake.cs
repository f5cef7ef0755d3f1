using System.Net;
using System.Net.Sockets;
using Graceful.Engine;

namespace Graceful.Sockets;

/// <summary>Where the connections of a listener come from.</summary>
internal interface IRawIntake : IIntake, IDisposable
{
    EndPoint EndPoint { get; }

    /// <summary>Whether somebody else holds the listening socket too.</summary>
    /// <exception cref="InvalidOperationException">It was set, and there is none.</exception>
    bool IsShared { get; set; }

    /// <summary>The next connection; null when there are no more.</summary>
    /// <exception cref="OperationCanceledException">The token fired.</exception>
    ValueTask<GracefulConnection?> AcceptAsync(CancellationToken cancellationToken);

    /// <summary>Accepts nobody any more, at once.</summary>
    Task<IntakeOutcome> CutAsync();

    /// <inheritdoc cref="SocketClone.Of" path="/exception"/>
    /// <exception cref="InvalidOperationException">There is no listening socket.</exception>
    SafeSocketHandle Duplicate(bool forChildren);
}
