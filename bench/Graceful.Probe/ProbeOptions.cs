namespace Graceful.Probe;

// What the command line asked for, checked.
internal sealed record ProbeOptions
{
    public required IReadOnlyList<ServerCommand> Servers { get; init; }

    public required IReadOnlyDictionary<string, string> Environment { get; init; }

    public required IReadOnlyList<string> ExpectClean { get; init; }

    public required int Runs { get; init; }

    public required int KeepAlive { get; init; }

    public required int Connect { get; init; }

    public required int Idle { get; init; }

    public required int Slow { get; init; }

    public required string Path { get; init; }

    public required string SlowPath { get; init; }

    public required TimeSpan Think { get; init; }

    public required Protocol Protocol { get; init; }

    public required bool Tls { get; init; }

    // With {port} in it; null for TCP.
    public required string? Unix { get; init; }

    public required int Streams { get; init; }

    public required TimeSpan WarmUp { get; init; }

    public required TimeSpan Load { get; init; }

    public required TimeSpan SlowLead { get; init; }

    public required int Signal { get; init; }

    public required TimeSpan? SecondSignalAfter { get; init; }

    public required TimeSpan Limit { get; init; }

    public required TimeSpan ReadyLimit { get; init; }

    public required TimeSpan RequestLimit { get; init; }

    public required TimeSpan ConnectLimit { get; init; }

    public required int Threads { get; init; }

    public required int Sources { get; init; }

    public required CloseWith CloseWith { get; init; }

    public required string? Json { get; init; }

    public required bool ShowOutput { get; init; }

    public required bool Quiet { get; init; }

    public LoadPlan PlanFor(int port, string? unixPath) => new()
    {
        Protocol = Protocol,
        Tls = Tls,
        UnixPath = unixPath,
        Streams = Streams,
        Port = port,
        KeepAlive = KeepAlive,
        Connect = Connect,
        Idle = Idle,
        Slow = Slow,
        Path = Path,
        SlowPath = SlowPath,
        Think = Think,
        RequestLimit = RequestLimit,
        ConnectLimit = ConnectLimit,
        Sources = Sources,
        Threads = Threads,
        CloseWith = CloseWith,
    };
}
