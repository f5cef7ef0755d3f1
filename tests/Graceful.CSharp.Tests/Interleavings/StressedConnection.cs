using Graceful.Core;
using Graceful.Engine;

namespace Graceful.Tests.Interleavings;

/// <summary>A connection without a transport, which counts what it is told to do.</summary>
internal sealed class StressedConnection(LifecycleEngine engine, string name, bool multiplexed, bool quiet)
    : TrackedConnection(engine, name)
{
    private int _closes;
    private int _resets;
    private bool _wasSwept;

    public int Closes => Volatile.Read(ref _closes);

    public int Resets => Volatile.Read(ref _resets);

    /// <summary>A sweep looked at it, so the walk that retired everybody is over.</summary>
    public bool WasSwept => Volatile.Read(ref _wasSwept);

    public override bool IsMultiplexed => multiplexed;

    public bool IsGone => ConnectionModule.isGone(Now);

    public bool IsClosed => ConnectionModule.phase(Now).IsClosed;

    public bool IsRetiring => ConnectionModule.isRetiring(Now);

    public override void Describe(ICollection<HeldRequest> into)
    {
    }

    protected override TimeSpan QuietFor(out bool pending)
    {
        Volatile.Write(ref _wasSwept, true);
        pending = false;
        return quiet ? TimeSpan.FromHours(1) : TimeSpan.Zero;
    }

    protected override void AskToClose()
    {
        if (multiplexed)
        {
            Told();
        }
    }

    protected override void Close() => Interlocked.Increment(ref _closes);

    protected override void Hasten()
    {
    }

    protected override void Reset() => Interlocked.Increment(ref _resets);
}
