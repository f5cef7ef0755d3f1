using Graceful.Tests.Support;

namespace Graceful.Tests.Processes;

public sealed class OutOfTime
{
    [Theory]
    [InlineData("/slow")]
    [InlineData("/stubborn")]
    [InlineData("/blocked")]
    public async Task A_request_that_takes_longer_is_cut_off_named_and_the_exit_code_is_2(string path)
    {
        var (child, port) = await Child.ListeningAsync("app", "--GracePeriod", "00:00:01");
        using var _ = child;
        using var client = await RawClient.ConnectAsync(port);
        await client.SendGetAsync($"{path}?ms=15000");
        await child.Said("SLOW");
        child.Kill(Signal.Terminate);
        Assert.Equal(Ending.Reset, await client.EndAsync());
        Assert.InRange(child.SinceSignal.TotalSeconds, 0.9, 4);
        Assert.Equal(2, await child.ExitAsync());
        Assert.InRange(child.SinceSignal.TotalSeconds, 0.9, 6);
        Assert.Contains("forced: the grace period was over", child.Output, StringComparison.Ordinal);
        Assert.Contains($"cut off             GET {path}", child.Output, StringComparison.Ordinal);
        Assert.Contains("1 aborted", child.Output, StringComparison.Ordinal);
    }
}
