using Graceful.Tests.Processes;
using Graceful.Tests.Support;

namespace Graceful.Tests.Platform;

/// <summary>What a service manager hears of a whole process.</summary>
public sealed class Notified
{
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task It_hears_of_the_start_of_the_way_out_and_of_what_is_waited_for(bool isAbstract)
    {
        using var manager = new Listener(isAbstract);
        var (child, port) = await Child.ListeningAsync("app", manager.Environment);
        using var _ = child;
        await manager.Hears("READY=1");
        Assert.Equal([$"READY=1\nMAINPID={child.Id}\n"], manager.Datagrams);
        using var client = await RawClient.ConnectAsync(port);
        await client.SendGetAsync("/slow?ms=2500");
        await child.Said("SLOW");
        manager.Forget();
        child.Kill(Signal.Terminate);
        await manager.Hears("STOPPING=1");
        Assert.StartsWith("STOPPING=1\nSTATUS=Leaving after SIGTERM: ", manager.Datagrams[0], StringComparison.Ordinal);
        await manager.Hears("STATUS=Leaving after SIGTERM: draining, 1 connection with 1 request in flight, at most ");
        Assert.Equal("ok, at last", (await client.ReadAsync()).Text);
        Assert.Equal(0, await child.ExitAsync());
        Assert.Equal("STATUS=Left after SIGTERM: exit code 0, the host stops", manager.Lines.Last(line => line.StartsWith("STATUS=", StringComparison.Ordinal)));
        Assert.Equal((1, 0), (manager.Count("STOPPING=1"), manager.Count("READY=1")));

        // At once, and each second after that.
        Assert.Contains("EXTEND_TIMEOUT_USEC=10000000", manager.Datagrams[0], StringComparison.Ordinal);
        Assert.InRange(manager.Extensions.Count, 3, 20);
    }

    [Theory]
    [InlineData(3)]
    [InlineData(33)]
    public async Task It_hears_which_hook_is_waited_for_and_the_exit_code(int forced)
    {
        using var manager = new Listener();
        var (child, _) = await Child.ListeningAsync("stuck-hook", manager.Environment, "--ExitCodes:Forced", $"{forced}");
        using var alsoChild = child;
        child.Kill(Signal.Terminate);
        await manager.Hears("STATUS=Leaving after SIGTERM: after-drain hook 'flush'");
        child.Kill(Signal.Interrupt);
        Assert.Equal(forced, await child.ExitAsync());
        await manager.Hears($"STATUS=Left after SIGTERM: exit code {forced}, the host stops");
    }

    [Fact]
    public async Task A_server_that_leaves_before_it_was_ready_never_says_that_it_is()
    {
        using var manager = new Listener();
        using var child = Child.Start("slow-start", manager.Environment);
        await child.Said("STARTING");
        child.Kill(Signal.Terminate);
        await manager.Hears("STOPPING=1");
        child.GoOn();
        Assert.Equal(0, await child.ExitAsync());
        Assert.Equal((0, 1), (manager.Count("READY=1"), manager.Count("STOPPING=1")));
    }

    [Theory]
    [InlineData("systemd")]
    [InlineData("systemd-first")]
    public async Task UseSystemd_goes_on_to_say_READY_and_STOPPING_and_nobody_says_it_twice(string kind)
    {
        using var manager = new Listener();
        var (child, port) = await Child.ListeningAsync(kind, manager.Environment);
        using var _ = child;
        await manager.Hears("READY=1");
        await manager.Hears("MAINPID=");
        using var client = await RawClient.ConnectAsync(port);
        await client.SendGetAsync("/slow?ms=700");
        await child.Said("SLOW");
        child.Kill(Signal.Terminate);
        await manager.Hears("STATUS=Leaving");
        Assert.Equal("ok, at last", (await client.ReadAsync()).Text);
        Assert.Equal(0, await child.ExitAsync());
        Assert.Equal((1, 1), (manager.Count("READY=1"), manager.Count("STOPPING=1")));
        Assert.NotEmpty(manager.Extensions);
    }

    [Fact]
    public async Task A_watchdog_is_fed_while_the_server_runs_and_while_it_leaves()
    {
        using var manager = new Listener();
        var (child, port) = await Child.ListeningAsync("app", manager.With("WATCHDOG_USEC", "300000"));
        using var _ = child;
        await Limits.Until(() => manager.Count("WATCHDOG=1") >= 4, "the watchdog is fed");
        using var client = await RawClient.ConnectAsync(port);
        await client.SendGetAsync("/slow?ms=2000");
        await child.Said("SLOW");
        child.Kill(Signal.Terminate);
        await manager.Hears("STOPPING=1");
        manager.Forget();
        await Limits.Until(() => manager.Count("WATCHDOG=1") >= 4, "the watchdog is fed on the way out");
        Assert.False(child.HasExited);
        Assert.Equal(0, await child.ExitAsync());
    }

    [Fact]
    public async Task A_user_who_does_not_want_it_hears_nothing()
    {
        using var manager = new Listener();
        await LeaveAsync(manager.With("WATCHDOG_USEC", "300000"), "--NotifyServiceManager", "false");
        Assert.Empty(manager.Datagrams);
    }

    [Theory]
    [InlineData("")]
    [InlineData(null)]
    public async Task Without_the_variable_there_is_nothing_to_do_and_nothing_to_complain_about(string? address)
    {
        Dictionary<string, string> environment = new() { ["WATCHDOG_USEC"] = "nonsense" };
        if (address is not null)
        {
            environment["NOTIFY_SOCKET"] = address;
        }

        Assert.DoesNotContain("service manager", await LeaveAsync(environment), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_socket_that_is_missing_costs_a_warning_and_no_time()
    {
        var output = await LeaveAsync(new() { ["NOTIFY_SOCKET"] = Path.Combine(Path.GetTempPath(), $"graceful-{Guid.NewGuid():N}") }, "--LameDuck", "00:00:02");
        Assert.Contains("The service manager is not told how the server is", output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_socket_that_nobody_holds_any_more_costs_a_warning_and_no_time()
    {
        using var manager = new Listener(isAbstract: false);
        manager.Die();
        Assert.True(File.Exists(manager.Address));
        Assert.Contains("Connection refused", await LeaveAsync(manager.Environment, "--LameDuck", "00:00:02"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_socket_that_is_full_costs_no_time()
    {
        using var manager = new Listener();
        manager.Fill();
        await LeaveAsync(manager.With("WATCHDOG_USEC", "1000"));
        Assert.All(manager.Lines, line => Assert.Equal("FILL=1", line));
    }

    [Fact]
    public async Task What_a_full_socket_kept_back_is_said_as_soon_as_there_is_room()
    {
        using var manager = new Listener();
        manager.Fill();
        var (child, _) = await Child.ListeningAsync("app", manager.Environment);
        using var alsoChild = child;
        await Quiet.LessAsync();
        await manager.Hears("READY=1");
        child.Kill(Signal.Terminate);
        Assert.Equal(0, await child.ExitAsync());
        Assert.Equal((1, 1), (manager.Count("READY=1"), manager.Count("STOPPING=1")));
    }

    [Theory]
    [InlineData("vsock:2:1234")]
    [InlineData("@")]
    [InlineData("run/notify")]
    public async Task An_address_that_is_none_is_named_in_a_warning(string address)
    {
        var output = await LeaveAsync(new() { ["NOTIFY_SOCKET"] = address });
        Assert.Contains($"NOTIFY_SOCKET is '{address}'; allowed is an absolute path, or '@' and the name of an abstract socket", output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_address_that_is_too_long_is_named_in_a_warning()
    {
        var address = "/" + new string('x', 200);
        Assert.Contains($"NOTIFY_SOCKET is '{address}', which is longer", await LeaveAsync(new() { ["NOTIFY_SOCKET"] = address }), StringComparison.Ordinal);
    }

    /// <summary>A life that ends well and in time, whatever the service manager does.</summary>
    private static async Task<string> LeaveAsync(Dictionary<string, string> environment, params string[] options)
    {
        var (child, port) = await Child.ListeningAsync("app", environment, options);
        using var _ = child;
        using (var client = await RawClient.ConnectAsync(port))
        {
            Assert.Equal(200, (await client.GetAsync("/")).Status);
        }

        child.Kill(Signal.Terminate);
        Assert.Equal(0, await child.ExitAsync());
        Assert.InRange(child.SinceSignal.TotalSeconds, 0, 6);
        return child.Output;
    }
}
