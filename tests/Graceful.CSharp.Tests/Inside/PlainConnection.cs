using Graceful.Core;
using Graceful.Engine;

namespace Graceful.Tests.Inside;

/// <summary>A connection without a transport, which does what a test wants and keeps what it was told.</summary>
internal sealed class PlainConnection(LifecycleEngine engine, string id) : TrackedConnection(engine, id)
{
    private int _sweeps;
    private int _resets;
    private int _asks;

    /// <summary>How long it says it was quiet; by its last edge, when nothing is said.</summary>
    public TimeSpan? Quiet { get; init; }

    /// <summary>Thrown when it is asked to tell its client.</summary>
    public Exception? Failure { get; init; }

    /// <summary>Of a connection that carries many requests at a time.</summary>
    public bool Multiplexed { get; init; }

    public override bool IsMultiplexed => Multiplexed;

    /// <summary>How often it was asked to tell its client.</summary>
    public int Asks => Volatile.Read(ref _asks);

    public int Sweeps => Volatile.Read(ref _sweeps);

    public int Resets => Volatile.Read(ref _resets);

    public bool IsRetiring => ConnectionModule.isRetiring(Now);

    public long Edge => LastEdge;

    public (TimeSpan QuietFor, bool Pending) Silence => (base.QuietFor(out var pending), pending);

    public override void Describe(ICollection<HeldRequest> into)
    {
    }

    protected override TimeSpan QuietFor(out bool pending)
    {
        Interlocked.Increment(ref _sweeps);
        var sinceEdge = base.QuietFor(out pending);
        return Quiet ?? sinceEdge;
    }

    protected override void AskToClose()
    {
        if (Failure is not null)
        {
            throw Failure;
        }

        Interlocked.Increment(ref _asks);
        if (Multiplexed)
        {
            Told();
        }
    }

    protected override void Close()
    {
    }

    protected override void Hasten()
    {
    }

    protected override void Reset() => Interlocked.Increment(ref _resets);
}
