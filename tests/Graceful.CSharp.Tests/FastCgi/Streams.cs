using Graceful.Tests.Interleavings;
using Graceful.Tests.Support;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace Graceful.Tests.FastCgi;

/// <summary>Bodies that fit into no memory: GRACEFUL_FASTCGI_MIB says how large, and <c>build.fsx fastcgi</c> makes it 1,024.</summary>
[Collection(nameof(Alone))]
public sealed class Streams
{
    /// <summary>What may be alive more than before, whatever travels: the buffers of both sides, and what else the process does.</summary>
    private const long MostKept = 24 << 20;

    private static readonly int Size = int.TryParse(Environment.GetEnvironmentVariable("GRACEFUL_FASTCGI_MIB"), out var size) ? size : 64;

    [Fact]
    public async Task An_upload_of_any_size_takes_no_memory()
    {
        var read = 0L;
        await using var app = await Responses.StartAsync(map: more => more.MapPost("/count", async (HttpContext context) =>
        {
            context.Features.GetRequiredFeature<IHttpMaxRequestBodySizeFeature>().MaxRequestBodySize = null;
            var buffer = new byte[1 << 16];
            for (var got = await context.Request.Body.ReadAsync(buffer); got > 0; got = await context.Request.Body.ReadAsync(buffer))
            {
                read += got;
            }

            await context.Response.WriteAsync($"{read}");
        }));
        using var client = await RawFastCgiClient.ConnectAsync(app.Port);
        var before = GC.GetTotalMemory(forceFullCollection: true);
        var most = 0L;
        await client.SendAsync((byte[])[
            .. RawFastCgiClient.BeginRecord(), .. RawFastCgiClient.Record(RawFastCgiClient.Params, 1, RawFastCgiClient.Variables("POST", "/count", ("CONTENT_LENGTH", $"{(long)Size << 20}"))),
            .. RawFastCgiClient.Record(RawFastCgiClient.Params, 1, [])]);
        var record = RawFastCgiClient.Record(RawFastCgiClient.Stdin, 1, new byte[1 << 15]);
        for (var sent = 0; sent < Size << 5; sent++)
        {
            await client.SendAsync(record);
            if (sent % (Size << 3) == Size << 2)
            {
                most = Math.Max(most, GC.GetTotalMemory(forceFullCollection: true) - before);
            }
        }

        await client.SendAsync(RawFastCgiClient.Record(RawFastCgiClient.Stdin, 1, []));
        Assert.Equal($"{(long)Size << 20}", (await client.ReadAsync()).Text);
        Assert.InRange(most, long.MinValue, MostKept);
    }

    [Fact]
    public async Task A_download_of_any_size_takes_no_memory()
    {
        await using var app = await Responses.StartAsync();
        using var client = await RawFastCgiClient.ConnectAsync(app.Port);
        var before = GC.GetTotalMemory(forceFullCollection: true);
        var most = 0L;
        await client.SendGetAsync($"/big?mib={Size}");
        var got = 0L;
        var look = (long)Size << 18;
        for (var record = await client.ReadRecordAsync(); record.Type != RawFastCgiClient.End; record = await client.ReadRecordAsync())
        {
            got += record.Content.Length;
            if (got > look)
            {
                look += (long)Size << 18;
                most = Math.Max(most, GC.GetTotalMemory(forceFullCollection: true) - before);
            }
        }

        Assert.InRange(got, (long)Size << 20, ((long)Size << 20) + 1000);
        Assert.InRange(most, long.MinValue, MostKept);
    }

    [Fact]
    public async Task Of_a_body_that_nobody_reads_nothing_more_is_taken_and_of_a_response_nothing_more_is_made()
    {
        var made = 0L;
        var deaf = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var stopped = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var app = await Responses.StartAsync(map: more =>
        {
            more.MapPost("/deaf", () => deaf.Task);
            more.MapGet("/endless", async (HttpContext context) =>
            {
                while (!context.RequestAborted.IsCancellationRequested)
                {
                    await context.Response.Body.WriteAsync(new byte[1 << 16]);
                    Interlocked.Add(ref made, 1 << 16);
                }

                stopped.TrySetResult();
            });
        });

        // What a kernel keeps for a socket is some megabytes; what is more would be the server's.
        const long Most = 32 << 20;
        var sent = 0L;
        using (var client = await RawFastCgiClient.ConnectAsync(app.Port))
        {
            await client.SendAsync((byte[])[
                .. RawFastCgiClient.BeginRecord(), .. RawFastCgiClient.Record(RawFastCgiClient.Params, 1, RawFastCgiClient.Variables("POST", "/deaf")), .. RawFastCgiClient.Record(RawFastCgiClient.Params, 1, [])]);
            var record = RawFastCgiClient.Record(RawFastCgiClient.Stdin, 1, new byte[1 << 15]);
            Task sending = Task.CompletedTask;
            while (sent < Most && sending.IsCompleted)
            {
                sending = client.SendAsync(record);
                await Task.WhenAny(sending, Task.Delay(500, TestContext.Current.CancellationToken));
                sent += 1 << 15;
            }

            Assert.False(sending.IsCompleted);
            deaf.SetResult();
            await sending.Soon("What nobody reads any more");
            Assert.Equal(200, (await client.ReadAsync()).Status);
            await client.SendAsync(RawFastCgiClient.Record(RawFastCgiClient.Stdin, 1, []));
            Assert.Equal("ok", (await client.GetAsync("/")).Text);
        }

        using (var client = await RawFastCgiClient.ConnectAsync(app.Port))
        {
            await client.SendGetAsync("/endless");
            var before = -1L;
            await Limits.Until(() => Interlocked.Read(ref made) > 0, "something is made");
            while (Interlocked.Exchange(ref before, Interlocked.Read(ref made)) != Interlocked.Read(ref made) && before < Most)
            {
                await Task.Delay(500, TestContext.Current.CancellationToken);
            }

            Assert.InRange(before, 1, Most - 1);
            client.Raw.Reset();
        }

        await stopped.Task.Soon("The end of the response");
    }
}
