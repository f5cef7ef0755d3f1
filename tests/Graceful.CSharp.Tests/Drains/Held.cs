using System.Net;
using Graceful.Tests.Support;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace Graceful.Tests.Drains;

/// <summary>An app with an endpoint of each kind, whose requests stay until they are let go.</summary>
internal sealed class Held : IAsyncDisposable
{
    private readonly TaskCompletionSource _rest = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly HttpClient _client;
    private readonly TaskCompletionSource _must = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int _inside;

    private Held(HttpClient client) => _client = client;

    public TestApp App { get; private set; } = null!;

    /// <summary>Starts it, and a client that has all its requests on one connection over HTTP/2, and each on its own over HTTP/1.1.</summary>
    public static async Task<Held> StartAsync(bool http2, Action<GracefulOptions>? graceful = null)
    {
        var held = new Held(new HttpClient(new SocketsHttpHandler { UseProxy = false })
        {
            DefaultRequestVersion = http2 ? HttpVersion.Version20 : HttpVersion.Version11,
            DefaultVersionPolicy = HttpVersionPolicy.RequestVersionExact,
            Timeout = Limits.Hang,
        });
        held.App = await TestApp.StartAsync(
            options =>
            {
                options.QuietPeriod = TimeSpan.FromMilliseconds(200);
                options.GracePeriod = TimeSpan.FromMinutes(5);
                graceful?.Invoke(options);
            },
            listen => listen.Protocols = http2 ? HttpProtocols.Http2 : HttpProtocols.Http1,
            map: held.Map);
        held._client.BaseAddress = new Uri($"http://127.0.0.1:{held.App.Port}");
        return held;
    }

    /// <summary>Sends a request, and waits until it is in its handler.</summary>
    public async Task<Task<string>> SendAsync(string path)
    {
        var before = Volatile.Read(ref _inside);
        var answer = _client.GetStringAsync(new Uri(path, UriKind.Relative));
        await Limits.Until(() => Volatile.Read(ref _inside) > before || answer.IsCompleted, $"{path} is being served");
        Assert.False(answer.IsCompleted);
        return answer;
    }

    /// <summary>Lets those end who must finish, and nobody else.</summary>
    public void OpenMust() => _must.TrySetResult();

    /// <summary>Ends the connections that the client keeps for later.</summary>
    public void CloseIdle() => _client.Dispose();

    /// <summary>Lets all who are in their handlers end.</summary>
    public void Open() => _rest.TrySetResult();

    /// <summary>The request was cut off: reset on HTTP/2, its connection ended on HTTP/1.1.</summary>
    public static async Task MustBeCutOffAsync(Task<string> answer) => await Assert.ThrowsAnyAsync<HttpRequestException>(() => answer.Soon("The cut"));

    public async ValueTask DisposeAsync()
    {
        Open();
        _client.Dispose();
        await App.DisposeAsync();
    }

    private void Map(WebApplication app)
    {
        app.MapGet("/must", (CancellationToken aborted) => Task.WhenAny(StayAsync(aborted), MustAsync()).Unwrap());
        app.MapGet("/told", StayAsync).WithDrain(DrainMode.ToldOnly);
        app.MapGet("/abort", StayAsync).WithDrain(DrainMode.AbortAtOnce);
        app.MapGet("/probe", StayAsync).WithDrain(DrainMode.NotCounted);
        app.MapGet("/second", StayAsync).WithDrain(TimeSpan.FromSeconds(1));
        app.MapGet("/day", StayAsync).WithDrain(TimeSpan.FromDays(1));
        app.MapGet("/deaf", () => StayAsync(CancellationToken.None)).WithDrain(DrainMode.AbortAtOnce);
        app.MapGet("/brief", async (HttpContext context, IGraceful graceful) =>
        {
            Interlocked.Increment(ref _inside);
            await Task.Delay(Timeout.Infinite, graceful.Stopping).ContinueWith(_ => { }, TaskScheduler.Default);
            // Until its connection retires, which is when the sweeps begin.
            var connection = (Kestrel.KestrelConnection)context.Features[typeof(Kestrel.KestrelConnection)]!;
            await Limits.Until(() => Core.ConnectionModule.isRetiring(connection.Now), "it retires");
            return "brief";
        }).WithDrain(DrainMode.AbortAtOnce);
        app.MapGet("/listening", async (HttpContext context) =>
        {
            Interlocked.Increment(ref _inside);
            await Task.Delay(Timeout.Infinite, context.Graceful().Stopping).ContinueWith(_ => { }, TaskScheduler.Default);
            return "as you wish";
        }).WithDrain(DrainMode.ToldOnly);
    }

    private async Task<string> MustAsync()
    {
        await _must.Task;
        return "at rest";
    }

    private async Task<string> StayAsync(CancellationToken aborted)
    {
        Interlocked.Increment(ref _inside);
        await _rest.Task.WaitAsync(aborted);
        return "at rest";
    }
}
