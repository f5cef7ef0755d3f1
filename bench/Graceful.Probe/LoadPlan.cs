using System.Text;

namespace Graceful.Probe;

// What the clients of one run do, whichever kind of socket they do it on.
internal sealed record LoadPlan
{
    public required Protocol Protocol { get; init; }

    public required bool Tls { get; init; }

    public required int Port { get; init; }

    // The Unix socket to connect to; null for the port.
    public required string? UnixPath { get; init; }

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

    // How many keep-alive clients share an HTTP/2 connection.
    public required int Streams { get; init; }

    public byte[] Request => HttpRequest(Path);

    public byte[] SlowRequest => HttpRequest(SlowPath);

    public byte[] RequestOf(ClientKind kind) => Protocol == Protocol.FastCgi
        ? FastCgiRequest.For(PathOf(kind), Port, keep: kind is ClientKind.KeepAlive or ClientKind.Idle)
        : HttpRequest(PathOf(kind));

    public string PathOf(ClientKind kind) => kind == ClientKind.Slow ? SlowPath : Path;

    public int Count(ClientKind kind) => kind switch
    {
        ClientKind.KeepAlive => KeepAlive,
        ClientKind.Connect => Connect,
        ClientKind.Idle => Idle,
        _ => Slow,
    };

    private byte[] HttpRequest(string path) => Encoding.ASCII.GetBytes($"GET {path} HTTP/1.1\r\nHost: localhost:{Port}\r\n\r\n");
}
