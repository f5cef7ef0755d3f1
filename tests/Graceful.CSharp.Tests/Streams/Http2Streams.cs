using System.IO.Pipelines;
using System.Net;
using System.Text.Json;
using System.Threading.Channels;
using Graceful.Tests.Support;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace Graceful.Tests.Streams;

/// <summary>Streams as gRPC has them, over HTTP/2: one that the server sends, and one in both directions.</summary>
public sealed class Http2Streams
{
    /// <summary>INTERNAL_ERROR: what HTTP/2 says of a stream whose request was aborted.</summary>
    private const long Aborted = 2;

    [Fact]
    public async Task What_the_server_sends_ends_whole()
    {
        await using var app = await StartAsync();
        using var client = Client(app);
        using var answer = await client.GetAsync(new Uri("/numbers", UriKind.Relative), HttpCompletionOption.ResponseHeadersRead).Soon("The stream");
        app.Graceful.Close();
        var numbers = JsonSerializer.Deserialize<int[]>(await answer.Content.ReadAsStringAsync().Soon("The end of the stream"))!;
        Assert.Equal([1], numbers);
        Assert.Equal(0, (await app.ReportAsync()).ExitCode);
    }

    [Fact]
    public async Task One_in_both_directions_ends_in_order_while_the_client_still_sends()
    {
        await using var app = await StartAsync();
        using var client = Client(app);
        var sending = new Pipe();
        using var ask = new HttpRequestMessage(HttpMethod.Post, "/both") { Content = new Endless(sending.Reader), Version = HttpVersion.Version20, VersionPolicy = HttpVersionPolicy.RequestVersionExact };
        using var answer = await client.SendAsync(ask, HttpCompletionOption.ResponseHeadersRead).Soon("The stream");
        using var reader = new StreamReader(await answer.Content.ReadAsStreamAsync());
        await sending.Writer.WriteAsync("one\n"u8.ToArray());
        await sending.Writer.FlushAsync();
        Assert.Equal("one", await reader.ReadLineAsync().Soon("The echo"));
        app.Graceful.Close();
        Assert.Equal("bye", await reader.ReadLineAsync().Soon("The last word"));
        Assert.Null(await reader.ReadLineAsync().Soon("The end of the stream"));
        await sending.Writer.CompleteAsync();
        Assert.Equal(0, (await app.ReportAsync()).ExitCode);
    }

    [Fact]
    public async Task One_that_does_not_end_is_reset_and_its_neighbour_goes_on()
    {
        await using var app = await StartAsync();
        using var client = Client(app);
        using var deaf = await client.GetAsync(new Uri("/deaf", UriKind.Relative), HttpCompletionOption.ResponseHeadersRead).Soon("The stream");
        var neighbour = client.GetStringAsync(new Uri("/door", UriKind.Relative));
        await app.Door.Reached();
        await app.BeginDrainAsync();
        using var stream = await deaf.Content.ReadAsStreamAsync();
        var error = await Assert.ThrowsAnyAsync<IOException>(() => stream.CopyToAsync(Stream.Null).Soon("The reset"));
        Assert.Equal(Aborted, Assert.IsType<HttpProtocolException>(error as HttpProtocolException ?? error.InnerException).ErrorCode);
        app.Door.Open();
        Assert.Equal("ok, at last", await neighbour.Soon("The neighbour"));
        var report = await app.ReportAsync();
        Assert.Equal((0, 1, 1), (report.ExitCode, report.RequestsLetGo, report.RequestsFinished));
    }

    private static HttpClient Client(TestApp app) => new(new SocketsHttpHandler { UseProxy = false })
    {
        BaseAddress = new Uri($"http://127.0.0.1:{app.Port}"),
        DefaultRequestVersion = HttpVersion.Version20,
        DefaultVersionPolicy = HttpVersionPolicy.RequestVersionExact,
    };

    private static Task<TestApp> StartAsync() => TestApp.StartAsync(
        options => (options.SettleTime, options.QuietPeriod, options.GracePeriod) = (TimeSpan.Zero, TimeSpan.FromMilliseconds(100), TimeSpan.FromMinutes(5)),
        listen => listen.Protocols = HttpProtocols.Http2,
        map: app =>
        {
            app.MapGet("/numbers", (HttpContext context) =>
            {
                var numbers = Channel.CreateUnbounded<int>();
                numbers.Writer.TryWrite(1);
                return numbers.Reader.ReadAllAsync().UntilStopping(context);
            });
            app.MapPost("/both", BothAsync);
            app.MapGet("/deaf", async (HttpContext context) =>
            {
                await context.Response.Body.FlushAsync();
                await Task.Delay(Timeout.Infinite, context.RequestAborted);
            }).WithDrain(TimeSpan.FromMilliseconds(200));
        });

    private static async Task BothAsync(HttpContext context)
    {
        await context.Response.Body.FlushAsync();
        using var reader = new StreamReader(context.Request.Body);
        try
        {
            while (await reader.ReadLineAsync(context.Graceful().Stopping) is { } line)
            {
                await context.Response.WriteAsync(line + "\n");
                await context.Response.Body.FlushAsync();
            }
        }
        catch (OperationCanceledException)
        {
            await context.Response.WriteAsync("bye\n");
        }
    }

    /// <summary>What a client sends as it likes; unlike other content it does not keep the answer waiting.</summary>
    private sealed class Endless(PipeReader reader) : HttpContent
    {
        protected override async Task SerializeToStreamAsync(Stream stream, TransportContext? context)
        {
            // The head of the request goes out no sooner than something is flushed behind it.
            await stream.FlushAsync();
            while (await reader.ReadAsync() is { IsCompleted: false } read)
            {
                foreach (var piece in read.Buffer)
                {
                    await stream.WriteAsync(piece);
                }

                await stream.FlushAsync();
                reader.AdvanceTo(read.Buffer.End);
            }
        }

        protected override bool TryComputeLength(out long length)
        {
            length = 0;
            return false;
        }
    }
}
