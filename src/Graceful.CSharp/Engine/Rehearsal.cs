using Graceful.Core;
using Microsoft.Extensions.Logging.Abstractions;

namespace Graceful.Engine;

/// <summary>
/// Goes the whole way out once while the server starts, with an engine of its own and nobody inside but one extra. The
/// runtime compiles what runs for the first time, and on the real way out that would be tens of milliseconds in which a
/// client waits.
/// </summary>
internal static class Rehearsal
{
    public static async Task RunAsync()
    {
        using var engine = new LifecycleEngine(new GracefulOptions { QuietPeriod = TimeSpan.Zero }, NullLogger.Instance);
        engine.StartedUp();
        var extra = new Extra(engine);
        extra.TryEnter();
        extra.Began();
        extra.Told();
        engine.Stop(Trigger.HostStopped);
        extra.Finished(new HeldRequestFacts(extra.Id, null!, Environment.TickCount64));
        extra.Apply(ConnectionEvent.Ended);
        var report = await engine.Exited.ConfigureAwait(false);
        _ = report.ToString();
    }

    private sealed class Extra(LifecycleEngine engine) : TrackedConnection(engine, "extra")
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
