namespace Graceful;

/// <summary>What a signal does.</summary>
public sealed class SignalAction
{
    private SignalAction(Func<string, Task>? handler) => Handler = handler;

    /// <summary>The server leaves in order. A second such signal within <see cref="GracefulOptions.DoubleKickWindow"/> forces.</summary>
    public static SignalAction Stop { get; } = new(null);

    /// <summary>The server leaves at once: what is in flight is aborted, the hooks after the drain still run, and the exit code is 3.</summary>
    public static SignalAction StopNow { get; } = new(null);

    /// <summary>What is to be called; null for a stop.</summary>
    internal Func<string, Task>? Handler { get; }

    /// <summary>
    /// The application is called, to reopen its logs for instance. It runs on the thread pool, one call after the other;
    /// what it throws goes to the log, and one that never ends holds up those after it. That begins when the host starts:
    /// before, the signal does what it does by itself, and SIGTERM, SIGINT and SIGQUIT stop.
    /// </summary>
    /// <param name="handler">Gets the signal's name, <c>SIGHUP</c> for instance.</param>
    /// <returns>The action.</returns>
    /// <exception cref="ArgumentNullException">The handler is null.</exception>
    public static SignalAction Call(Func<string, Task> handler)
    {
        ArgumentNullException.ThrowIfNull(handler);
        return new SignalAction(handler);
    }

    /// <inheritdoc cref="Call(Func{string, Task})"/>
    public static SignalAction Call(Action<string> handler)
    {
        ArgumentNullException.ThrowIfNull(handler);
        return new SignalAction(name =>
        {
            handler(name);
            return Task.CompletedTask;
        });
    }
}
