using Graceful.Tests.Support;

namespace Graceful.Tests.Processes;

public sealed class FirstSignal
{
    [Theory]
    [InlineData((int)Signal.Terminate, "SIGTERM")]
    [InlineData((int)Signal.Interrupt, "SIGINT")]
    [InlineData((int)Signal.Quit, "SIGQUIT")]
    public async Task A_request_in_flight_is_answered_the_exit_code_is_0_and_the_report_names_the_signal(int signal, string name)
    {
        var (child, port) = await Child.ListeningAsync("app");
        using var _ = child;
        using var client = await RawClient.ConnectAsync(port);
        await client.SendGetAsync("/slow?ms=700");
        await child.Said("SLOW");
        child.Kill((Signal)signal);
        var response = await client.ReadAsync();
        Assert.Equal("ok, at last", response.Text);
        Assert.True(response.IsTold);
        Assert.Equal(0, await child.ExitAsync());
        Assert.Contains($"Left after {name} in ", child.Output, StringComparison.Ordinal);
        Assert.Contains("exit code 0", child.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_idle_server_exits_promptly()
    {
        var (child, _) = await Child.ListeningAsync("app");
        using var alsoChild = child;
        child.Kill(Signal.Terminate);
        Assert.Equal(0, await child.ExitAsync());
        Assert.InRange(child.SinceSignal.TotalSeconds, 0, 3);
    }

    [Fact]
    public async Task Services_that_a_request_uses_live_until_it_is_answered()
    {
        var (child, port) = await Child.ListeningAsync("services");
        using var _ = child;
        using var client = await RawClient.ConnectAsync(port);
        await client.SendGetAsync("/service");
        await child.Said("SLOW");
        child.Kill(Signal.Terminate);
        Assert.Equal("2 of 2 alive", (await client.ReadAsync()).Text);
        Assert.Equal(0, await child.ExitAsync());
    }

    [Fact]
    public async Task A_callback_on_Stopping_that_blocks_does_not_keep_the_process()
    {
        var (child, port) = await Child.ListeningAsync("blocking-callback");
        using var _ = child;
        using var client = await RawClient.ConnectAsync(port);
        await client.SendGetAsync("/slow?ms=300");
        await child.Said("SLOW");
        child.Kill(Signal.Terminate);
        Assert.Equal("ok, at last", (await client.ReadAsync()).Text);
        Assert.Equal(0, await child.ExitAsync());
    }
}
