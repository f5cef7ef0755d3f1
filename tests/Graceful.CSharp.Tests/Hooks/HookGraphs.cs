using System.Collections.Concurrent;
using Graceful.Tests.Support;

namespace Graceful.Tests.Hooks;

/// <summary>Hooks that say whom they wait for, what follows when one fails, and those that come later.</summary>
public sealed class HookGraphs
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(30);
    private readonly ConcurrentQueue<string> _seen = new();

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Independent_ones_run_at_once_and_a_dependent_one_after_them_wherever_it_was_added(bool afterDrain)
    {
        var left = new Door();
        var right = new Door();
        await using var app = await TestApp.StartAsync(options =>
        {
            Add(options, afterDrain, "end", Note("end"), after: ["left", "right"]);
            Add(options, afterDrain, "left", (_, _) => left.PassAsync(), after: []);
            Add(options, afterDrain, "right", (_, _) => right.PassAsync(), after: []);
            Add(options, afterDrain, "chain 1", Note("chain 1"));
            Add(options, afterDrain, "chain 2", Note("chain 2"));
        });
        app.Graceful.Close();
        await left.Reached();
        await right.Reached();
        await Support.Limits.Until(() => _seen.Count == 2, "the chain went on beside them");
        left.Open();
        right.Open();
        var report = await app.ReportAsync();
        Assert.Equal(["chain 1", "chain 2", "end"], _seen);
        Assert.Equal(0, report.ExitCode);
        Assert.Equal(["left", "right", "end", "chain 1", "chain 2"], report.Hooks.Select(hook => hook.Name));
    }

    [Fact]
    public async Task Synchronous_ones_are_hooks_like_others()
    {
        await using var app = await TestApp.StartAsync(options => options
            .OnStopping("note", Limit, (reason, _) => _seen.Enqueue(reason.ToString()))
            .OnDrained("fail", Limit, void (_, _) => throw new InvalidOperationException("disk full")));
        var report = await app.LeaveAsync();
        Assert.Single(_seen);
        Assert.Equal([("note", "succeeded"), ("fail", "failed (InvalidOperationException: disk full)")], report.Hooks.Select(hook => (hook.Name, hook.Outcome)));
    }

    [Fact]
    public async Task One_that_must_not_fail_cuts_off_the_drain_and_those_that_wait_are_skipped()
    {
        await using var app = await TestApp.StartAsync(options => options
            .OnStopping("beside", Limit, (_, token) => Task.Delay(Timeout.Infinite, token), after: [])
            .OnStopping("must", Limit, (_, _) => Task.FromException(new InvalidOperationException("no lock")), after: [], onFailure: HookFailurePolicy.Force)
            .OnStopping("late", Limit, Note("late"), after: ["must"])
            .OnDrained("flush", Limit, Note("flush")));
        using var client = await RawClient.ConnectAsync(app.Port);
        await client.SendGetAsync("/door");
        await app.Door.Reached();
        var report = await app.LeaveAsync();
        Assert.Equal(1, report.ExitCode);
        Assert.Contains("forced: a hook failed that must not", report.Troubles);
        Assert.Equal(["flush"], _seen);
        Assert.Equal(
            [("beside", "cancelled"), ("must", "failed (InvalidOperationException: no lock)"), ("late", "skipped"), ("flush", "succeeded")],
            report.Hooks.Select(hook => (hook.Name, hook.Outcome)));
        Assert.Equal(1, report.ConnectionsAborted);
        Assert.Equal(Ending.Reset, await client.EndAsync());
    }

    [Fact]
    public async Task One_that_must_not_take_too_long_after_the_drain_cancels_those_beside_it_and_the_others_run()
    {
        await using var app = await TestApp.StartAsync(options => options
            .OnDrained("beside", Limit, (_, token) => Task.Delay(Timeout.Infinite, token), after: [])
            .OnDrained("must", TimeSpan.FromMilliseconds(200), (_, token) => Task.Delay(Timeout.Infinite, token), after: [], onFailure: HookFailurePolicy.Force)
            .OnDrained("flush", Limit, Note("flush"), after: ["beside", "must"]));
        var report = await app.LeaveAsync();
        Assert.Equal(1, report.ExitCode);
        Assert.Equal(["flush"], _seen);
        Assert.Equal([("beside", "cancelled"), ("must", "timed out"), ("flush", "succeeded")], report.Hooks.Select(hook => (hook.Name, hook.Outcome)));
    }

    [Fact]
    public async Task All_errors_are_collected()
    {
        await using var app = await TestApp.StartAsync(options =>
        {
            for (var name = 'a'; name <= 'c'; name++)
            {
                var error = new InvalidOperationException($"{name} broke");
                options.OnStopping($"{name}", Limit, (_, _) => Task.FromException(error), after: []);
            }
        });
        var report = await app.LeaveAsync();
        Assert.Equal(
            ["failed (InvalidOperationException: a broke)", "failed (InvalidOperationException: b broke)", "failed (InvalidOperationException: c broke)"],
            report.Hooks.Select(hook => hook.Outcome));
    }

    [Fact]
    public async Task One_may_be_added_while_the_server_runs_and_during_the_drain_for_the_stage_to_come()
    {
        await using var app = await TestApp.StartAsync(options => options.OnDrained("first", Limit, Note("first")));
        app.Graceful.OnStopping("before", Limit, Note("before"));
        using var client = await RawClient.ConnectAsync(app.Port);
        await client.SendGetAsync("/door");
        await app.Door.Reached();
        await app.BeginDrainAsync();
        app.Graceful.OnDrained("second", Limit, Note("second"), after: ["first"]);
        var late = Assert.Throws<InvalidOperationException>(() => app.Graceful.OnStopping("too late", Limit, Note("too late")));
        Assert.Contains("'too late' comes too late: its stage has begun or is over", late.Message, StringComparison.Ordinal);
        app.Door.Open();
        var report = await app.ReportAsync();
        Assert.Equal(["before", "first", "second"], _seen);
        Assert.Equal(["before", "first", "second"], report.Hooks.Select(hook => hook.Name));
        Assert.Throws<InvalidOperationException>(() => app.Graceful.OnDrained("much too late", Limit, Note("much too late")));
    }

    [Fact]
    public async Task One_that_does_not_go_with_the_others_is_refused_and_changes_nothing()
    {
        await using var app = await TestApp.StartAsync(options => options.OnDrained("flush", Limit, Note("flush")));
        Refused("The hook 'flush' was added more than once", () => app.Graceful.OnDrained("flush", Limit, Note("again")));
        Refused("'b' is to run after 'a', and there is none of that name", () => app.Graceful.OnDrained("b", Limit, Note("b"), after: ["a"]));
        Refused("'b' is to run after 'flush', which runs in the other stage", () => app.Graceful.OnStopping("b", Limit, Note("b"), after: ["flush"]));
        Refused("The limit of the hook 'b' is 00:00:00; allowed is more than zero", () => app.Graceful.OnDrained("b", TimeSpan.Zero, Note("b")));
        Refused("The name of a hook is ' '", () => app.Graceful.OnDrained(" ", Limit, Note("b")));
        await app.LeaveAsync();
        Assert.Equal(["flush"], _seen);

        static void Refused(string why, Action add) => Assert.Contains(why, Assert.Throws<ArgumentException>(add).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task One_that_was_added_makes_the_budget_of_the_host_longer()
    {
        await using var app = await TestApp.StartAsync();
        var host = (Microsoft.Extensions.Options.IOptions<Microsoft.Extensions.Hosting.HostOptions>)app.Services.GetService(
            typeof(Microsoft.Extensions.Options.IOptions<Microsoft.Extensions.Hosting.HostOptions>))!;
        var before = host.Value.ShutdownTimeout;
        app.Graceful.OnDrained("flush", TimeSpan.FromSeconds(7), Note("flush"));
        Assert.Equal(before + TimeSpan.FromSeconds(7), host.Value.ShutdownTimeout);

        // Beside the other one it takes no longer.
        app.Graceful.OnDrained("log", TimeSpan.FromSeconds(7), Note("log"), after: []);
        Assert.Equal(before + TimeSpan.FromSeconds(7), host.Value.ShutdownTimeout);
    }

    [Fact]
    public void The_budget_counts_the_longest_chain()
    {
        var options = new GracefulOptions { GracePeriod = TimeSpan.FromSeconds(10) }
            .OnDrained("a", TimeSpan.FromSeconds(1), Note("a"))
            .OnDrained("b", TimeSpan.FromSeconds(5), Note("b"), after: [])
            .OnDrained("c", TimeSpan.FromSeconds(3), Note("c"), after: ["a"]);
        Assert.Equal(TimeSpan.FromSeconds(15), options.Budget());
        Assert.Equal(["b"], options.LongestAfterDrain().Select(hook => hook.Name));
    }

    private static void Add(
        GracefulOptions options, bool afterDrain, string name, Func<StopReason, CancellationToken, Task> hook, string[]? after = null) =>
        _ = afterDrain ? options.OnDrained(name, Limit, hook, after) : options.OnStopping(name, Limit, hook, after);

    private Func<StopReason, CancellationToken, Task> Note(string name) => async (_, _) =>
    {
        await Task.Yield();
        _seen.Enqueue(name);
    };
}
