using Graceful;

namespace Hello;

/// <summary>All that an application may want of Graceful at once: hooks that wait for each other, work that is not a request, and somebody who reads the metrics.</summary>
internal sealed class Everything(IGraceful graceful) : BackgroundService
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(5);

    public static void AddTo(GracefulOptions options) => options
        .OnStopping("deregister", Limit, (_, token) => Task.Delay(20, token))
        .OnDrained("flush", Limit, (_, token) => Task.Delay(20, token), after: [])
        .OnDrained("log off", Limit, (_, token) => Task.Delay(20, token), after: [])
        .OnDrained("close the pool", Limit, (_, _) => { }, after: ["flush", "log off"])
        .Prevent("nobody", _ => null);

    public static void AddTo(WebApplicationBuilder builder) => builder.Services.AddHostedService<Everything>().AddHostedService<Monitoring>();

    public static void AddTo(WebApplication app)
    {
        app.MapGracefulHealth();
        app.MapGet("/poll", async (HttpContext context) => await Task.Delay(Timeout.Infinite, context.Graceful().Stopping).ContinueWith(_ => "come back", TaskScheduler.Default))
            .WithDrain(DrainMode.ToldOnly);
    }

    /// <summary>A queue's worth of small pieces of work, also while the server leaves.</summary>
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        while (!stoppingToken.IsCancellationRequested)
        {
            using (graceful.Begin("message"))
            {
                await Task.Delay(5, CancellationToken.None).ConfigureAwait(false);
            }
        }
    }
}
