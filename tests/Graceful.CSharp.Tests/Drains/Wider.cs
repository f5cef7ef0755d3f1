using Graceful.Replay;
using Graceful.Tests.Processes;
using Graceful.Tests.Support;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.TestHost;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Graceful.Tests.Drains;

/// <summary>Requests of other kinds, and what is left of those that were let go: report, record and exit code.</summary>
public sealed class Wider : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("graceful-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task A_stream_of_a_controller_that_is_told_only_is_let_go()
    {
        await using var app = await TestApp.StartAsync(
            build: builder => builder.Services.AddControllers().AddApplicationPart(typeof(StreamsController).Assembly), map: app => app.MapControllers());
        using var client = await RawClient.ConnectAsync(app.Port);
        await client.SendGetAsync("/streams");
        Assert.Equal(200, (await client.ReadHeadAsync()).Status);
        var report = await app.LeaveAsync();
        await client.ReadToEndAsync();
        Assert.Equal((0, 1), (report.ExitCode, report.RequestsLetGo));
        Assert.Equal("/streams", Assert.Single(report.LetGo).Path);
    }

    [Fact]
    public async Task A_connection_that_was_upgraded_is_let_go_as_its_endpoint_says()
    {
        await using var app = await TestApp.StartAsync(map: app => app.MapGet("/socket", EchoAsync).WithDrain(DrainMode.ToldOnly));
        using var client = await RawClient.ConnectAsync(app.Port);
        await client.SendAsync("GET /socket HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n");
        Assert.Equal(101, (await client.ReadHeadAsync()).Status);
        using (app.Graceful.Begin("import"))
        {
            await app.BeginDrainAsync();
            await Task.Delay(700);
            await client.SendAsync("ping");
            Assert.Equal("ping"u8.ToArray(), await client.ReadBytesAsync(4));
        }

        var report = await app.ReportAsync();
        await client.EndAsync();
        Assert.Equal((0, 1, 0), (report.ExitCode, report.RequestsLetGo, report.ConnectionsAborted));
    }

    [Fact]
    public async Task A_request_of_a_server_that_keeps_its_connections_to_itself_is_let_go()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseTestServer();
        builder.AddGraceful();
        var app = builder.Build();
        var door = new Door();
        app.MapGet("/told", async (CancellationToken aborted) => await door.PassAsync().WaitAsync(aborted)).WithDrain(DrainMode.ToldOnly);
        await app.StartAsync().Soon();
        await using var _ = app;
        var request = app.GetTestClient().GetAsync(new Uri("/told", UriKind.Relative));
        await door.Reached();
        var graceful = app.Services.GetRequiredService<IGraceful>();
        graceful.Close();
        var report = await graceful.Completion.Soon("The end of the way out");
        await Assert.ThrowsAnyAsync<Exception>(() => request.Soon());
        door.Open();
        Assert.Equal((0, 1, 0), (report.ExitCode, report.RequestsLetGo, report.ConnectionsAborted));
    }

    [Fact]
    public async Task A_request_is_not_cut_off_for_the_one_before_it_on_its_connection()
    {
        // The first one's head is out before anybody is told, so the connection carries a second one, which must finish.
        var first = new Door();
        await using var app = await TestApp.StartAsync(
            options => options.QuietPeriod = TimeSpan.FromSeconds(1),
            map: app => app.MapGet("/first", async (HttpResponse response) =>
            {
                response.ContentLength = 2;
                await response.Body.FlushAsync();
                await first.PassAsync();
                await response.Body.WriteAsync("ok"u8.ToArray());
            }).WithDrain(TimeSpan.FromSeconds(2)));
        using var client = await RawClient.ConnectAsync(app.Port);
        await client.SendGetAsync("/first");
        var head = await client.ReadHeadAsync();
        Assert.False(head.IsTold);
        await app.BeginDrainAsync();
        first.Open();
        Assert.Equal("ok"u8.ToArray(), await client.ReadBodyAsync(head));
        await client.SendGetAsync("/door");
        await app.Door.Reached();
        await Task.Delay(2500);
        app.Door.Open();
        Assert.Equal("ok, at last", (await client.ReadAsync()).Text);
        var report = await app.ReportAsync();
        Assert.Equal((0, 2, 0), (report.ExitCode, report.RequestsFinished, report.RequestsLetGo));
    }

    [Fact]
    public async Task The_report_says_how_many_and_which()
    {
        await using var held = await Held.StartAsync(http2: false);
        var abort = await held.SendAsync("/abort");
        var told = await held.SendAsync("/told");
        var report = await held.App.LeaveAsync();
        await Held.MustBeCutOffAsync(abort);
        await Held.MustBeCutOffAsync(told);
        Assert.Contains("\n  let go              2 cut off early, as their endpoints allow\n", report.ToString(), StringComparison.Ordinal);
        Assert.Contains("\n  let go              GET /told, ", report.ToString(), StringComparison.Ordinal);
        Assert.Contains("\n  let go              GET /abort, ", report.ToString(), StringComparison.Ordinal);
        var entry = Assert.Single(held.App.Log.OfGraceful, entry => entry.Text.StartsWith("Left after", StringComparison.Ordinal));
        Assert.Equal((LogLevel.Information, report.ToString()), (entry.Level, entry.Text));
    }

    [Fact]
    public async Task A_process_that_let_a_request_go_exits_with_0_and_its_record_says_so()
    {
        var record = Path.Combine(_folder, "out.jsonl");
        var (child, port) = await Child.ListeningAsync("app", "--GracePeriod", "00:05:00", "--Record", record);
        using var _ = child;
        using var deaf = await RawClient.ConnectAsync(port);
        await deaf.SendGetAsync("/told?ms=600000");
        await child.Said("SLOW");
        child.Kill(Signal.Terminate);
        await deaf.EndAsync();
        Assert.Equal(0, await child.ExitAsync());
        Assert.InRange(child.SinceSignal.TotalSeconds, 0.4, 15);
        Assert.Contains("let go              GET /told, ", child.Output, StringComparison.Ordinal);
        using var said = new StringWriter();
        Assert.Equal(0, Replayer.Run([record], said, said));
        Assert.Contains("request let go: GET /told, ", said.ToString(), StringComparison.Ordinal);
    }

    private static async Task EchoAsync(HttpContext context)
    {
        var stream = await context.Features.GetRequiredFeature<IHttpUpgradeFeature>().UpgradeAsync();
        var buffer = new byte[100];
        for (var got = await stream.ReadAsync(buffer); got > 0; got = await stream.ReadAsync(buffer))
        {
            await stream.WriteAsync(buffer.AsMemory(0, got));
        }
    }
}
