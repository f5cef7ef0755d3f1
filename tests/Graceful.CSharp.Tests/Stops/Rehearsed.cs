using Graceful.Kestrel;
using Graceful.Tests.Support;

namespace Graceful.Tests.Stops;

/// <summary>The rehearsal is a whole way out: what it leaves out would be compiled while clients wait.</summary>
public sealed class Rehearsed
{
    [Theory]
    [InlineData(1, 2)]
    [InlineData(Rehearsal.OftenEnough, 0)]
    public async Task Idle_connections_are_closed_and_requests_are_waited_for_and_told(int idle, int busy)
    {
        var report = await Rehearsal.RunAsync(idle, busy).Soon("The rehearsal");
        Assert.Equal((0, ShutdownOutcome.Clean), (report.ExitCode, report.Outcome));
        Assert.Equal((busy, busy, idle + busy), (report.RequestsFinished, report.ConnectionsTold, report.ConnectionsClosed));
        Assert.Equal(busy, report.WaitedFor.Count);
    }
}
