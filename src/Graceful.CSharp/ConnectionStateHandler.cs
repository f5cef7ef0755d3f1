namespace Graceful;

/// <summary>Observes a connection that goes from one phase to another.</summary>
/// <param name="connectionId">The identifier that the server gave the connection, as in its logs.</param>
/// <param name="from">The phase that it left.</param>
/// <param name="to">The phase that it entered; never the same.</param>
/// <remarks>
/// Called on the thread that does the connection's work, so it must be quick. An accepted connection is
/// <see cref="ConnectionPhase.New"/> without a call. Edges of one connection come in order, but for two things: an edge to
/// <see cref="ConnectionPhase.Closed"/> may come from another thread, beside the one before it, and the streams of an
/// HTTP/2 connection each have a thread. What it throws is logged and dropped.
/// </remarks>
public delegate void ConnectionStateHandler(string connectionId, ConnectionPhase from, ConnectionPhase to);
