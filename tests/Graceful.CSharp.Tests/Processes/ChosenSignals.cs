using Graceful.Tests.Support;

namespace Graceful.Tests.Processes;

/// <summary>SIGUSR1 stops, 12 (SIGUSR2) stops at once, SIGHUP and 40 call the application, SIGQUIT is given back.</summary>
public sealed class ChosenSignals
{
    private const int QuitByDefault = 128 + (int)Signal.Quit;

    [Fact]
    public async Task One_stops_in_order_and_is_the_reason()
    {
        var (child, port) = await Child.ListeningAsync("signals");
        using var _ = child;
        using var client = await RawClient.ConnectAsync(port);
        await client.SendGetAsync("/slow?ms=700");
        await child.Said("SLOW");
        child.Kill(Signal.User1);
        Assert.Equal(200, (await client.ReadAsync()).Status);
        Assert.Equal(0, await child.ExitAsync());
        Assert.Contains("Left after SIGUSR1", child.Output, StringComparison.Ordinal);
        Assert.Contains("The signal 'SIGFOO' is not known here and is ignored", child.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task One_stops_at_once_with_code_3()
    {
        var (child, port) = await Child.ListeningAsync("signals");
        using var _ = child;
        using var client = await RawClient.ConnectAsync(port);
        await client.SendGetAsync("/slow?ms=15000");
        await child.Said("SLOW");
        child.Kill(Signal.User2);
        Assert.Equal(3, await child.ExitAsync());
        Assert.Contains("Left after SIGUSR2", child.Output, StringComparison.Ordinal);
        Assert.Contains("forced: a stop at once was asked for", child.Output, StringComparison.Ordinal);
        Assert.Contains("cut off             GET /slow", child.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task One_calls_the_application_and_the_server_runs_on()
    {
        var (child, port) = await Child.ListeningAsync("signals");
        using var _ = child;
        child.Kill(Signal.HangUp);
        await child.Said("REOPENED after SIGHUP");
        child.Kill(Signal.RealTime40);
        await child.Wrote("no logs for SIG40");
        using (var client = await RawClient.ConnectAsync(port))
        {
            Assert.Equal(200, (await client.GetAsync("/")).Status);
        }

        child.Kill(Signal.Terminate);
        Assert.Equal(0, await child.ExitAsync());
        Assert.Contains("The handler of SIG40 failed", child.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task One_that_was_given_back_does_what_it_does_by_itself()
    {
        var (child, _) = await Child.ListeningAsync("signals");
        using var __ = child;
        child.Kill(Signal.Quit);
        Assert.Equal(QuitByDefault, await child.ExitAsync());
        Assert.DoesNotContain("Left after", child.Output, StringComparison.Ordinal);
    }
}
