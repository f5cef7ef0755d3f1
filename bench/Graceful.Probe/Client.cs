namespace Graceful.Probe;

// One client on a non-blocking socket, kept for the whole run.
internal sealed class Client(ClientKind kind, int index, byte source)
{
    public ClientKind Kind { get; } = kind;

    public int Index { get; } = index;

    public byte Source { get; } = source;

    public AnswerReader Answer { get; } = new();

    public ClientState State { get; set; }

    public int Fd { get; set; } = -1;

    // The connection has already carried a complete answer.
    public bool Reused { get; set; }

    // Since when the request, or before it the handshake, has been under way.
    public long Since { get; set; }

    public int Failures { get; set; }
}
