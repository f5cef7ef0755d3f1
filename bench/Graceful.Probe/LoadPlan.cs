using System.Text;

namespace Graceful.Probe;

// What the clients of one run do, whichever kind of socket they do it on.
internal sealed record LoadPlan
{
    public required int Port { get; init; }

    public required int KeepAlive { get; init; }

    public required int Connect { get; init; }

    public required int Idle { get; init; }

    public required int Slow { get; init; }

    public required string Path { get; init; }

    public required string SlowPath { get; init; }

    public required TimeSpan Think { get; init; }

    public required TimeSpan RequestLimit { get; init; }

    public required TimeSpan ConnectLimit { get; init; }

    public required int Sources { get; init; }

    public required int Threads { get; init; }

    public required CloseWith CloseWith { get; init; }

    public byte[] Request => RequestFor(Path);

    public byte[] SlowRequest => RequestFor(SlowPath);

    public int Count(ClientKind kind) => kind switch
    {
        ClientKind.KeepAlive => KeepAlive,
        ClientKind.Connect => Connect,
        ClientKind.Idle => Idle,
        _ => Slow,
    };

    private byte[] RequestFor(string path) => Encoding.ASCII.GetBytes($"GET {path} HTTP/1.1\r\nHost: localhost:{Port}\r\n\r\n");
}
