using System.Diagnostics;
using Graceful.Engine;
using Graceful.Replay;
using Graceful.Tests.Processes;
using Graceful.Tests.Support;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Graceful.Tests.Records;

/// <summary>What a server writes when it is asked to record its way out, and that this never harms the way out.</summary>
public sealed class RecordedWaysOut : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("graceful-").FullName;

    private string Record => Path.Combine(_folder, "out.jsonl");

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task A_process_that_is_signalled_twice_leaves_a_record_that_ends_with_its_exit_code()
    {
        var (child, port) = await Child.ListeningAsync("failing-hook", "--Record", Record);
        using var _ = child;
        using var idle = await RawClient.IdleAsync(port);
        using var slow = await RawClient.ConnectAsync(port);
        await slow.SendGetAsync("/slow?ms=600000");
        await child.Said("SLOW");
        child.Kill(Signal.Terminate);
        await Limits.Until(() => Lines().Any(line => line.Contains("RetireConnections", StringComparison.Ordinal)), "the drain has begun");
        child.Kill(Signal.Terminate);
        Assert.Equal(3, await child.ExitAsync());
        var told = MustReplay("exited with code 3");
        Assert.Contains("request cut off: GET /slow,", told, StringComparison.Ordinal);
        Assert.Contains("HookFinished 0, Failed: InvalidOperationException: disk full", told, StringComparison.Ordinal);
    }

    [Fact]
    public async Task It_ends_with_the_code_of_the_core_whatever_the_process_ends_with()
    {
        await using (var app = await StartAsync(options => options.ExitCodes.Clean = 42))
        {
            Assert.Equal(42, (await app.LeaveAsync()).ExitCode);
        }

        MustReplay("exited with code 0");
    }

    [Fact]
    public async Task A_drill_a_stop_that_is_undone_and_a_hook_that_is_added_can_be_replayed_and_normal_life_is_not_in_it()
    {
        await using (var app = await StartAsync(options => (options.LameDuck, options.GracePeriod) = (TimeSpan.FromMinutes(1), TimeSpan.FromMinutes(2))))
        {
            using var kept = await RawClient.ConnectAsync(app.Port);
            Assert.Equal(200, (await kept.GetAsync("/")).Status);
            await UntilOnlyKeptAsync(app);
            var drill = app.Graceful.DrillAsync();
            await app.UntilTellingAsync("Drilling");
            Assert.True(await app.Graceful.ResumeAsync().Soon());
            Assert.True(await drill.Soon());
            app.Graceful.OnStopping("first", TimeSpan.FromSeconds(30), (_, _) => { });
            app.Graceful.Close();
            await app.UntilTellingAsync("LameDuck");
            using var told = await RawClient.ConnectAsync(app.Port);
            Assert.True((await told.GetAsync("/")).IsTold);
            await UntilOnlyKeptAsync(app);
            Assert.True(await app.Graceful.ResumeAsync().Soon());

            // Normal life again: requests and connections are nobody's business.
            for (var i = 0; i < 5; i++)
            {
                using var client = await RawClient.ConnectAsync(app.Port);
                Assert.False((await client.GetAsync("/")).IsTold);
            }

            await UntilOnlyKeptAsync(app);
            app.Graceful.OnDrained("last", TimeSpan.FromSeconds(30), (_, _) => { }, after: []);
            app.Engine.Stop(Core.Trigger.NewSignal(15));
            await app.UntilTellingAsync("LameDuck");
            app.Engine.Post(Core.Event.NewForceRequested(Core.ForceCause.HostTimedOut));
            Assert.Equal(2, (await app.ReportAsync()).ExitCode);
        }

        Assert.Single(Lines(), line => line.Contains("\"request\"", StringComparison.Ordinal));
        var story = MustReplay("exited with code 2");
        Assert.Contains("hook added: first, before the drain", story, StringComparison.Ordinal);
        Assert.Contains("hook added: last, after the drain, after nobody", story, StringComparison.Ordinal);
        Assert.Contains("RenewStopping", story, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Nothing_of_a_request_is_in_it_but_method_and_route()
    {
        await using (var app = await StartAsync(map: app => app.MapMethods("/orders/{id}", ["GET", "SECRETVERB"], async (HttpContext context) =>
        {
            await context.RequestServices.GetRequiredService<DoorOf>().Door.PassAsync();
            return "secret-answer";
        })))
        {
            using var client = await RawClient.ConnectAsync(app.Port);
            using var odd = await RawClient.ConnectAsync(app.Port);
            using var lost = await RawClient.ConnectAsync(app.Port);
            await client.SendAsync("GET /orders/secret-id?token=secret-query HTTP/1.1\r\nHost: secret-host\r\nCookie: secret-cookie\r\n\r\n");
            await odd.SendAsync("SECRETVERB /orders/secret-id HTTP/1.1\r\nHost: secret-host\r\n\r\n");
            await app.Door.Reached(2);
            await lost.SendAsync("GET /secret-path HTTP/1.1\r\nHost: local");
            await app.BeginDrainAsync();
            await lost.SendAsync("host\r\n\r\n");
            Assert.Equal(404, (await lost.ReadAsync()).Status);
            app.Door.Open();
            await app.ReportAsync();
        }

        var all = await File.ReadAllTextAsync(Record);
        Assert.DoesNotContain("secret", all, StringComparison.OrdinalIgnoreCase);
        var told = MustReplay("exited with code 0");
        Assert.Contains("request ended: GET /orders/{id},", told, StringComparison.Ordinal);
        Assert.Contains("request ended: other /orders/{id},", told, StringComparison.Ordinal);
        Assert.Contains("request ended: GET (no route),", told, StringComparison.Ordinal);
    }

    [Fact]
    public async Task When_it_is_nearly_full_connections_are_left_out_and_the_lifecycle_goes_on_to_its_end()
    {
        await using (var app = await StartAsync(options => options.RecordLimit = 40_000))
        {
            var clients = await Task.WhenAll(Enumerable.Range(0, 200).Select(_ => RawClient.IdleAsync(app.Port)));
            await app.LeaveAsync();
            Array.ForEach(clients, client => client.Dispose());
        }

        Assert.InRange(new FileInfo(Record).Length, 36_000, 40_000);
        Assert.Single(Lines(), line => line.Contains("leftOut", StringComparison.Ordinal));
        var told = MustReplay("exited with code 0");
        Assert.Contains("left out from here: gate, connections and requests, because the limit of 40000 bytes is reached", told, StringComparison.Ordinal);
    }

    [Fact]
    public async Task When_it_is_full_the_last_line_says_so()
    {
        await using (var app = await StartAsync(options => options.RecordLimit = 4096))
        {
            using var client = await RawClient.ConnectAsync(app.Port);
            await client.SendGetAsync("/door");
            await app.Door.Reached();
            await app.BeginDrainAsync();

            // A stop that joins is an event as well.
            for (var i = 0; i < 50; i++)
            {
                app.Graceful.Close();
            }

            app.Door.Open();
            await app.ReportAsync();
        }

        Assert.InRange(new FileInfo(Record).Length, 3000, 4096);
        Assert.Contains("\"leftOut\":\"everything\"", Lines()[^1], StringComparison.Ordinal);
        MustReplay("the record ends before the exit");
    }

    [Theory]
    [InlineData("missing/folder/out.jsonl")]
    [InlineData("")]
    [InlineData(".")]
    public async Task A_path_that_cannot_be_written_fails_the_start_and_says_which(string path)
    {
        var full = path.Length == 0 ? "" : Path.Combine(_folder, path);
        var error = await Assert.ThrowsAsync<OptionsValidationException>(() => TestApp.StartAsync(options => options.Record = full));
        Assert.Contains($"Record is '{full}'", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_full_disk_costs_a_warning_and_nothing_else()
    {
        if (!OperatingSystem.IsLinux())
        {
            return;
        }

        await using var app = await TestApp.StartAsync(options => options.Record = "/dev/full");
        using var client = await RawClient.IdleAsync(app.Port);
        Assert.Equal(0, (await app.LeaveAsync()).ExitCode);
        Assert.Equal(Ending.Fin, await client.EndAsync());
        var warning = Assert.Single(app.Log.OfGraceful, entry => entry.Level == LogLevel.Warning);
        Assert.StartsWith("The record /dev/full ends here, because it can't be written: ", warning.Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_disk_that_is_stuck_holds_the_end_no_longer_than_a_log_may()
    {
        if (!OperatingSystem.IsLinux())
        {
            return;
        }

        using (var mkfifo = Process.Start("mkfifo", Record))
        {
            await mkfifo.WaitForExitAsync().Soon("mkfifo");
        }

        // Held open and never read: after what a pipe takes in, the writer is stuck.
        await using var reader = new FileStream(Record, FileMode.Open, FileAccess.ReadWrite);
        var app = await StartAsync();
        var clients = await Task.WhenAll(Enumerable.Range(0, 200).Select(_ => RawClient.IdleAsync(app.Port)));
        var watch = Stopwatch.StartNew();
        app.Graceful.Close();
        var report = await app.Services.GetRequiredService<LifecycleEngine>().Exited.Soon("The end of the drain");
        var drained = watch.Elapsed;
        await app.DisposeAsync();
        Array.ForEach(clients, client => client.Dispose());
        Assert.Equal((0, 200L), (report.ExitCode, report.ConnectionsClosed));

        // It waits as long as for a log, and then it ends; how soon a busy machine gets round to that is not the point.
        Assert.InRange((watch.Elapsed - drained).TotalSeconds, 1.9, 30);
    }

    [Fact]
    public async Task The_record_before_is_kept()
    {
        await File.WriteAllTextAsync(Record, "the one before");
        await using (var app = await StartAsync())
        {
            await app.LeaveAsync();
        }

        MustReplay("exited with code 0");
        Assert.Equal("the one before", await File.ReadAllTextAsync(Record + ".old"));
    }

    private Task<TestApp> StartAsync(Action<GracefulOptions>? graceful = null, Action<WebApplication>? map = null)
    {
        var door = new DoorOf();
        var starting = TestApp.StartAsync(
            options =>
            {
                options.Record = Record;
                options.QuietPeriod = TimeSpan.FromMilliseconds(300);
                options.SettleTime = TimeSpan.Zero;
                graceful?.Invoke(options);
            },
            build: builder => builder.Services.AddSingleton(door),
            map: map);
        return FinishAsync();

        async Task<TestApp> FinishAsync()
        {
            var app = await starting;
            door.Door = app.Door;
            return app;
        }
    }

    /// <summary>A client has its answer before the server has ended the request: waits until the server has, and one connection is left.</summary>
    private static Task UntilOnlyKeptAsync(TestApp app) => Limits.Until(
        () => app.Engine.ConnectionsByPhase() is var counts && counts.Sum() == 1 && counts[(int)ConnectionPhase.Idle] == 1,
        "only the connection that is kept is left, and it is idle");

    /// <summary>It may still be written to.</summary>
    private string[] Lines()
    {
        using var reader = new StreamReader(new FileStream(Record, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete));
        return reader.ReadToEnd().Split('\n', StringSplitOptions.RemoveEmptyEntries);
    }

    private string MustReplay(string outcome)
    {
        using var output = new StringWriter();
        using var errors = new StringWriter();
        var code = Replayer.Run([Record], output, errors);
        Assert.Equal((0, ""), (code, errors.ToString()));
        Assert.Contains(outcome, output.ToString(), StringComparison.Ordinal);
        return output.ToString();
    }

    private sealed class DoorOf
    {
        public Door Door { get; set; } = new();
    }
}
