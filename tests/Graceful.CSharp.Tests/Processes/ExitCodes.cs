using Graceful.Tests.Support;

namespace Graceful.Tests.Processes;

public sealed class ExitCodes
{
    [Fact]
    public async Task A_hook_that_fails_makes_it_1()
    {
        var (child, port) = await Child.ListeningAsync("failing-hook");
        using var _ = child;
        using var client = await RawClient.IdleAsync(port);
        child.Kill(Signal.Terminate);
        Assert.Equal(Ending.Fin, await client.EndAsync());
        Assert.Equal(1, await child.ExitAsync());
        Assert.Contains("flush: failed (InvalidOperationException: disk full)", child.Output, StringComparison.Ordinal);
    }
}
