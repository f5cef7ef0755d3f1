using System.Net;
using System.Net.Sockets;
using Graceful.Posix;

namespace Graceful.Sockets;

/// <summary>A listening socket, and how newcomers are kept away from it before it closes.</summary>
internal static class ListeningSocket
{
    /// <exception cref="ArgumentException">It is not a stream socket that is bound and listens.</exception>
    public static void Check(Socket listener, string parameter)
    {
        ArgumentNullException.ThrowIfNull(listener, parameter);
        if (listener.SocketType != SocketType.Stream)
        {
            throw Bad($"is one of type {listener.SocketType}");
        }

        if (listener.LocalEndPoint is null)
        {
            throw Bad("is not bound");
        }

        if (OperatingSystem.IsLinux() && !SocketKind.Listens(listener))
        {
            throw Bad("does not listen");
        }

        ArgumentException Bad(string what) =>
            new($"The socket {what}; allowed is a stream socket, TCP or Unix, after its Bind and its Listen.", parameter);
    }

    /// <summary>
    /// Keeps newcomers away from a socket whose queue we empty before it closes: TCP as well as the system allows, and then half-done
    /// handshakes get their time; a Unix socket loses its file.
    /// </summary>
    /// <returns>How it was done, and why not better.</returns>
    public static async Task<(string Method, string? Remark)> KeepOutAsync(
        Socket socket, EndPoint endpoint, IntakeMethod? wanted, TimeSpan settleTime, TimeProvider time)
    {
        if (endpoint is not IPEndPoint)
        {
            // Whoever comes now finds no file, which says the same as a refusal, or finds a successor's. An abstract socket has none.
            return ("last call", UnixListener.FileOf(socket)?.Remove() is { } why ? $"its file stayed: {why}" : null);
        }

        var stop = IntakeStop.Begin(socket, wanted);
        if (stop.Method != IntakeMethod.LastCall && settleTime > TimeSpan.Zero)
        {
            await Task.Delay(settleTime, time).ConfigureAwait(false);
        }

        return (stop.Method switch
        {
            IntakeMethod.SynFilter => "SYN filter",
            IntakeMethod.Unplug => "unplugged",
            _ => "last call",
        },
            stop.Why);
    }
}
