using System.IO.Pipelines;
using Graceful.FastCgi;
using Graceful.Tests.Support;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.Logging.Abstractions;

namespace Graceful.Tests.FastCgi;

public sealed class Aborts
{
    private readonly TaskCompletionSource _inside = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource<string> _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);

    [Fact]
    public async Task A_request_that_the_web_server_gives_up_hears_of_it_and_the_connection_goes_on()
    {
        await using var app = await StartAsync();
        using var client = await RawFastCgiClient.ConnectAsync(app.Port);
        await client.SendGetAsync("/stay");
        await _inside.Task.Soon("The request");
        await client.SendAsync(RawFastCgiClient.Record(RawFastCgiClient.Abort, 1, []));
        var answer = await client.ReadAsync();
        Assert.Equal((0, 0), (answer.ProtocolStatus, answer.Body.Length));
        Assert.Equal("aborted", await _ended.Task.Soon("The end"));
        Assert.Equal("ok", (await client.GetAsync("/")).Text);
    }

    [Theory]
    [InlineData("/stay")]
    [InlineData("/block")]
    public async Task A_connection_that_ends_aborts_its_request(string path)
    {
        await using var app = await StartAsync();
        using (var client = await RawFastCgiClient.ConnectAsync(app.Port))
        {
            await client.SendGetAsync(path);
            await _inside.Task.Soon("The request");
        }

        Assert.Equal("aborted", await _ended.Task.Soon("The end"));
        var report = await app.LeaveAsync();
        Assert.Equal((0, 0L), (report.ExitCode, report.ConnectionsAborted));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Whoever_reads_a_body_that_does_not_come_any_more_is_woken(bool byRecord)
    {
        await using var app = await StartAsync();
        using (var client = await RawFastCgiClient.ConnectAsync(app.Port))
        {
            await client.SendAsync((byte[])[
                .. RawFastCgiClient.BeginRecord(), .. RawFastCgiClient.Record(RawFastCgiClient.Params, 1, RawFastCgiClient.Variables("POST", "/read", ("CONTENT_LENGTH", "100"))),
                .. RawFastCgiClient.Record(RawFastCgiClient.Params, 1, []), .. RawFastCgiClient.Record(RawFastCgiClient.Stdin, 1, "some"u8)]);
            await _inside.Task.Soon("The request");
            if (byRecord)
            {
                await client.SendAsync(RawFastCgiClient.Record(RawFastCgiClient.Abort, 1, []));
                Assert.Empty((await client.ReadAsync()).Body);
            }
        }

        Assert.Equal("ConnectionAbortedException", await _ended.Task.Soon("The end"));
    }

    [Fact]
    public async Task A_request_that_is_given_up_before_it_was_told_ends_without_an_application()
    {
        await using var app = await StartAsync();
        using var client = await RawFastCgiClient.ConnectAsync(app.Port);
        await client.SendAsync((byte[])[.. RawFastCgiClient.BeginRecord(), .. RawFastCgiClient.Record(RawFastCgiClient.Abort, 1, [])]);
        Assert.Equal(0, (await client.ReadAsync()).ProtocolStatus);
        Assert.Equal("ok", (await client.GetAsync("/")).Text);
        Assert.False(_inside.Task.IsCompleted);
    }

    [Fact]
    public async Task An_application_that_aborts_its_request_ends_the_connection_without_an_end_of_the_request()
    {
        await using var app = await StartAsync();
        using var client = await RawFastCgiClient.ConnectAsync(app.Port);
        await client.SendGetAsync("/abort");
        var (text, _) = await client.Raw.ReadToEndAsync();
        Assert.Equal("", text);
        Assert.Equal("aborted", await _ended.Task.Soon("The end"));
    }

    [Fact]
    public async Task A_request_that_ends_while_it_is_being_aborted_has_no_end_that_looks_whole()
    {
        var (input, output) = (new Pipe(), new Pipe());
        var application = new Obedient();
        var transport = new SlowToAbort(application.Ended, input.Writer) { Transport = new Duplex(input.Reader, output.Writer) };
        using var connection = new FastCgiConnection(
            transport, new Application<IFeatureCollection>(application), new KestrelServerOptions(), new FastCgiLimits(), NullLogger.Instance);
        var running = connection.RunAsync();
        await input.Writer.WriteAsync(RawFastCgiClient.Request(RawFastCgiClient.Variables("GET", "/")), TestContext.Current.CancellationToken);
        (await application.Begun.Soon("The request")).Abort();
        await running.Soon("The end of the connection");
        Assert.True((await output.Reader.ReadAsync(TestContext.Current.CancellationToken)) is { IsCompleted: true, Buffer.IsEmpty: true });
    }

    private Task<TestApp> StartAsync() => Responses.StartAsync(map: app =>
    {
        app.MapGet("/stay", async (HttpContext context) =>
        {
            _inside.TrySetResult();
            await Task.Delay(Timeout.Infinite, context.RequestAborted).ContinueWith(_ => { }, TaskScheduler.Default);
            await context.Response.WriteAsync("nobody reads this");
            _ended.TrySetResult("aborted");
        });
        app.MapGet("/block", (HttpContext context) =>
        {
            _inside.TrySetResult();
            _ended.TrySetResult(context.RequestAborted.WaitHandle.WaitOne(Limits.Hang) ? "aborted" : "nobody said that it is over");
        });
        app.MapPost("/read", async (HttpContext context) =>
        {
            var buffer = new byte[10];
            Assert.Equal(4, await context.Request.Body.ReadAtLeastAsync(buffer, 4, throwOnEndOfStream: true));
            _inside.TrySetResult();
            try
            {
                _ended.TrySetResult($"{await context.Request.Body.ReadAsync(buffer)} more");
            }
            catch (Exception e)
            {
                _ended.TrySetResult(e.GetType().Name);
                throw;
            }
        });
        app.MapGet("/abort", async (HttpContext context) =>
        {
            context.Abort();
            await Task.Delay(Timeout.Infinite, context.RequestAborted).ContinueWith(_ => { }, TaskScheduler.Default);
            _ended.TrySetResult("aborted");
        });
    });

    /// <summary>A transport that ends when the request has.</summary>
    private sealed class SlowToAbort(Task requestEnded, PipeWriter input) : DefaultConnectionContext("slow")
    {
        public override void Abort(ConnectionAbortedException abortReason)
        {
            Assert.True(requestEnded.Wait(Limits.Hang));
            input.Complete();
        }
    }

    /// <summary>Ends its request as soon as that is aborted.</summary>
    private sealed class Obedient : IHttpApplication<IFeatureCollection>
    {
        private readonly TaskCompletionSource<IHttpRequestLifetimeFeature> _begun = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public Task<IHttpRequestLifetimeFeature> Begun => _begun.Task;

        public Task Ended => _ended.Task;

        public IFeatureCollection CreateContext(IFeatureCollection contextFeatures) => contextFeatures;

        public async Task ProcessRequestAsync(IFeatureCollection context)
        {
            var lifetime = context.GetRequiredFeature<IHttpRequestLifetimeFeature>();
            var aborted = lifetime.RequestAborted;
            _begun.SetResult(lifetime);
            await Task.Delay(Timeout.Infinite, aborted).ContinueWith(_ => { }, TaskScheduler.Default);
        }

        public void DisposeContext(IFeatureCollection context, Exception? exception) => _ended.SetResult();
    }
}
