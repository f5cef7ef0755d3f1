namespace Graceful.Probe;

// What one run showed.
internal sealed record RunResult
{
    public required string Server { get; init; }

    public required int Run { get; init; }

    public required int Port { get; init; }

    public required Tally Tally { get; init; }

    public required double RequestsPerSecond { get; init; }

    public required double ConnectionsPerSecond { get; init; }

    public required double SignalToExitMilliseconds { get; init; }

    // Null when no client received a byte, or the server had to be killed.
    public required double? LastByteToExitMilliseconds { get; init; }

    public required ServerExit Exit { get; init; }

    // The server did not exit within the limit, so its end says nothing about it.
    public required bool KilledByProbe { get; init; }

    public required string Output { get; init; }

    public Counts Before => All(signalled: false);

    public Counts After => All(signalled: true);

    // A slow request is sent before the signal, so one that ended after it was in flight at the signal.
    public long SlowInFlightAtSignal => Tally.Of(ClientKind.Slow, signalled: true).Total;

    public bool Failed => KilledByProbe || Before.Failures + After.Failures > 0;

    private Counts All(bool signalled) => Counts.Sum(Enum.GetValues<ClientKind>().Select(kind => Tally.Of(kind, signalled)));
}
