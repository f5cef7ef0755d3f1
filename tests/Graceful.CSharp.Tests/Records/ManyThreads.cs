using Graceful.Core;
using Graceful.Engine;
using Graceful.Replay;
using Graceful.Tests.Support;
using Microsoft.Extensions.Logging.Abstractions;

namespace Graceful.Tests.Records;

/// <summary>Steps race, and their lines must come in the order of the steps, or no record of a busy server could be folded.</summary>
public sealed class ManyThreads
{
    private const int Threads = 4;
    private const int Requests = 8;
    private const int Rounds = 1_000;

    [Fact]
    public async Task Steps_that_race_are_recorded_in_their_order()
    {
        var record = Path.GetTempFileName();
        try
        {
            using (var engine = new LifecycleEngine(
                new GracefulOptions { Record = record, RecordLimit = 100 << 20, QuietPeriod = TimeSpan.FromMinutes(1), GracePeriod = TimeSpan.FromMinutes(5) }, NullLogger.Instance))
            {
                var shared = new Peer(engine);
                Assert.True(shared.TryEnter());
                engine.StartedUp();
                engine.Stop(Trigger.Requested);
                await Limits.Until(() => ConnectionModule.isRetiring(shared.Now), "the drain has begun");
                using var together = new Barrier(Threads);
                await Task.WhenAll(Enumerable.Range(0, Threads).Select(_ => Task.Factory.StartNew(
                    () => Race(engine, shared, together), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default))).Soon("The race");
                shared.Apply(ConnectionEvent.Ended);
                Assert.Equal(0, (await engine.Exited.Soon("The exit")).ExitCode);
                await engine.FlushRecordAsync();
            }

            using var told = new StringWriter();
            Assert.True(Replayer.Run([record], told, told) == 0, told.ToString());
            Assert.Contains("exited with code 0", told.ToString(), StringComparison.Ordinal);

            // Each round is the edges of its requests, and a connection that enters, retires and leaves.
            Assert.InRange(File.ReadLines(record).Count(), Threads * Rounds * ((2 * Requests) + 4), int.MaxValue);
        }
        finally
        {
            File.Delete(record);
        }
    }

    private static void Race(LifecycleEngine engine, Peer shared, Barrier together)
    {
        together.SignalAndWait(Limits.Hang);
        for (var round = 0; round < Rounds; round++)
        {
            var own = new Peer(engine);
            own.TryEnter();
            for (var request = 0; request < Requests; request++)
            {
                shared.Apply(ConnectionEvent.Begin);
                shared.Apply(ConnectionEvent.End);
            }

            own.Apply(ConnectionEvent.Ended);
        }
    }

    private sealed class Peer(LifecycleEngine engine) : TrackedConnection(engine, "peer")
    {
        public override void Describe(ICollection<HeldRequest> into)
        {
        }

        protected override void AskToClose()
        {
        }

        protected override void Close()
        {
        }

        protected override void Hasten()
        {
        }

        protected override void Reset()
        {
        }
    }
}
