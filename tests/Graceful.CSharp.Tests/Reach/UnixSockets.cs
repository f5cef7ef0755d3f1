using System.Net.Sockets;
using Graceful.Tests.Support;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;

namespace Graceful.Tests.Reach;

public sealed class UnixSockets : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("graceful");

    private string Address => Path.Combine(_folder.FullName, "socket");

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public async Task An_idle_connection_is_told_and_the_file_is_gone()
    {
        await using var app = await StartAsync(Quiet.Long);
        using var client = await ConnectAsync();
        Assert.Equal(200, (await client.GetAsync("/")).Status);
        Assert.True(File.Exists(Address));
        await app.BeginDrainAsync();
        Assert.False(File.Exists(Address));
        await Assert.ThrowsAnyAsync<SocketException>(ConnectAsync);
        var response = await client.GetAsync("/");
        Assert.Equal(200, response.Status);
        Assert.True(response.IsTold);
        Assert.Equal(Ending.Fin, await client.EndAsync());
        var report = await app.ReportAsync();
        Assert.Equal(0, report.ExitCode);
        Assert.Contains(report.Listeners, listener => listener.StartsWith(Address, StringComparison.Ordinal));
    }

    [Fact]
    public async Task Silent_ones_and_half_heads_end_after_the_quiet_period()
    {
        await using var app = await StartAsync();
        using var fresh = await ConnectAsync();
        using var half = await ConnectAsync();
        await half.SendAsync("GET / HTTP/1.1\r\nHos");
        var report = await app.LeaveAsync();
        Assert.Equal(Ending.Fin, await fresh.EndAsync());
        await half.ReadToEndAsync();
        Assert.Equal(0, report.ExitCode);
        Assert.InRange(report.Duration.TotalSeconds, 0.3, 4);
    }

    [Theory]
    [InlineData(60_000)]
    [InlineData(240_000)]
    [InlineData(400_000)]
    public async Task A_slow_reader_of_a_response_that_the_application_has_finished_gets_every_byte(int size)
    {
        await using var app = await StartAsync(map: more => more.MapGet("/buffered", async (HttpContext context) =>
        {
            await context.Response.Body.WriteAsync(new byte[size]);
        }));
        using var client = await ConnectAsync();
        await client.SendGetAsync("/buffered");
        await Limits.Until(() => app.Log.Has("Executing endpoint"), "the request is there");
        await app.BeginDrainAsync();
        await Task.Delay(1500);
        var response = await client.ReadAsync();
        Assert.Equal(size, response.Body.Length);
        await client.ReadToEndAsync();
        Assert.Equal(0, (await app.ReportAsync()).ExitCode);
    }

    private Task<RawClient> ConnectAsync() => RawClient.ConnectAsync(new UnixDomainSocketEndPoint(Address));

    private Task<TestApp> StartAsync(Action<GracefulOptions>? options = null, Action<WebApplication>? map = null) => TestApp.StartAsync(
        options, build: builder => builder.WebHost.ConfigureKestrel(kestrel => kestrel.ListenUnixSocket(Address)), map: map);
}
