using Graceful.Replay;
using Graceful.Tests.Processes;
using Graceful.Tests.Support;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.TestHost;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Logging;

namespace Graceful.Tests.Idle;

/// <summary>What others hear of a server that leaves because nobody needs it.</summary>
public sealed class Told : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("graceful-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task Log_report_health_and_hooks_hear_the_reason()
    {
        var (heard, door) = (new List<StopReason>(), new Door());
        await using var server = await Idling.StartAsync(options => options.OnStopping("hook", TimeSpan.FromMinutes(1), (reason, _) =>
        {
            heard.Add(reason);
            return door.PassAsync();
        }));
        var health = server.App.Services.GetRequiredService<HealthCheckService>();
        Assert.Equal(HealthStatus.Healthy, (await health.CheckHealthAsync().Soon()).Status);
        await server.PassAsync(Idling.Limit);
        await door.Reached();
        Assert.Equal(HealthStatus.Unhealthy, (await health.CheckHealthAsync().Soon()).Entries["graceful"].Status);
        door.Open();
        var report = await server.MustLeaveAsync();
        Assert.Equal(new StopReason(StopCause.Idle), Assert.Single(heard));
        Assert.StartsWith("Left after idle limit in ", report.ToString(), StringComparison.Ordinal);
        Assert.Equal(["before-drain hooks", "closing listeners", "draining"], report.Stages.Select(stage => stage.Name).Take(3));
        await server.App.Log.Until("Leaving: idle limit");
    }

    [Fact]
    public async Task Monitoring_hears_the_cause()
    {
        using var spans = new Spans();
        var door = new Door();
        await using var server = await Idling.StartAsync(options => options.OnStopping("hook", TimeSpan.FromMinutes(1), (_, _) => door.PassAsync()));
        await server.PassAsync(Idling.Limit);
        await door.Reached();

        // Unlike any other server's that leaves while this test runs.
        await server.PassAsync(TimeSpan.FromTicks(1_234_567));
        door.Open();
        var report = await server.MustLeaveAsync();
        await server.App.Host.StopAsync(TestContext.Current.CancellationToken).Soon();
        Assert.Contains(spans.Stopped(), span => span.DisplayName == "graceful shutdown" && span.Duration == report.Duration
            && span.GetTagItem("graceful.stop.reason") is "idle limit");
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_record_with_looks_in_it_can_be_replayed_and_looks_that_found_somebody_do_not_fill_it(bool idles)
    {
        var record = Path.Combine(_folder, "out.jsonl");
        await using (var server = await Idling.StartAsync(options => options.Record = record))
        {
            using var client = await RawClient.IdleAsync(server.App.Port);
            await server.Until(ConnectionPhase.Idle);
            for (var look = 0; look < 3; look++)
            {
                using var work = server.App.Graceful.Begin("work");
                await server.PassAsync(Idling.Limit);
            }

            if (idles)
            {
                await server.PassAsync(Idling.Limit);
                await server.MustLeaveAsync();
            }
            else
            {
                client.Dispose();
                await server.Until();
                await server.App.LeaveAsync();
            }
        }

        using var output = new StringWriter();
        using var errors = new StringWriter();
        Assert.Equal((0, ""), (Replayer.Run([record], output, errors), errors.ToString()));
        Assert.Contains("exited with code 0", output.ToString(), StringComparison.Ordinal);

        // Of those that found somebody the last one, where it is needed to understand what follows.
        var looks = (await File.ReadAllLinesAsync(record)).Where(line => line.Contains("\"lifecycle\":\"IdleSampled\"", StringComparison.Ordinal));
        Assert.Equal(idles ? [false, false] : [true], looks.Select(line => line.Contains("\"busy\":1", StringComparison.Ordinal)));
        Assert.Equal(idles, output.ToString().Contains("PauseAccepting, SampleIdle", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_process_that_nobody_needs_ends_with_code_0()
    {
        var (child, port) = await Child.ListeningAsync("app", "--IdleLimit", "00:00:02");
        using var _ = child;
        using (var client = await RawClient.IdleAsync(port))
        {
            Assert.Equal(Ending.Fin, await client.EndAsync());
        }

        Assert.Equal(0, await child.ExitAsync());
        Assert.Contains("Left after idle limit in ", child.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_server_that_keeps_its_connections_to_itself_is_idle_between_requests()
    {
        var time = new ManualTime();
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseTestServer();
        builder.AddGraceful(options => (options.TimeProvider, options.IdleLimit) = (time, Idling.Limit));
        var app = builder.Build();
        var (door, graceful) = (new Door(), app.Services.GetRequiredService<IGraceful>());
        app.MapGet("/door", door.PassAsync);
        app.MapGracefulHealth();
        await app.StartAsync(TestContext.Current.CancellationToken).Soon();
        await using var _ = app;
        var client = app.GetTestClient();
        var request = client.GetAsync(new Uri("/door", UriKind.Relative), TestContext.Current.CancellationToken);
        await door.Reached();
        await PassAsync(Idling.Limit);
        Assert.Equal(Idling.Limit, time.NextDue);
        await PassAsync(TimeSpan.FromMinutes(4));
        door.Open();
        await request.Soon();
        await Limits.Until(() => app.Services.GetRequiredService<Engine.LifecycleEngine>().Table.Count == 0, "the request has left");
        await PassAsync(TimeSpan.FromMinutes(3));
        await client.GetAsync(new Uri("/health/live", UriKind.Relative), TestContext.Current.CancellationToken).Soon();
        await Limits.Until(() => app.Services.GetRequiredService<Engine.LifecycleEngine>().Table.Count == 0, "the probe has left");
        await PassAsync(TimeSpan.FromMinutes(3));
        Assert.Equal(TimeSpan.FromMinutes(4), time.NextDue);
        await PassAsync(TimeSpan.FromMinutes(4));
        Assert.Equal(StopCause.Idle, (await graceful.Completion.Soon()).Reason.Cause);

        async Task PassAsync(TimeSpan span)
        {
            time.Advance(span);
            await Limits.Until(() => time.NextDue is not null || graceful.Completion.IsCompleted, "the look is taken");
        }
    }
}
