using Graceful.Tests.Support;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace Graceful.Tests.Observed;

public sealed class Health
{
    [Fact]
    public async Task Readiness_fails_from_the_first_moment_and_liveness_holds()
    {
        await using var app = await TestApp.StartAsync(
            options => options.LameDuck = TimeSpan.FromSeconds(20), map: app => app.MapGracefulHealth());
        Assert.Equal((200, 200), (await StatusAsync(app, "/health/ready"), await StatusAsync(app, "/health/live")));
        app.Graceful.Close();
        await app.Log.Until("to LameDuck after");
        Assert.Equal((503, 200), (await StatusAsync(app, "/health/ready"), await StatusAsync(app, "/health/live")));
    }

    [Fact]
    public async Task Readiness_fails_in_a_drill_and_does_not_say_that_the_server_leaves()
    {
        await using var app = await TestApp.StartAsync();
        _ = app.Graceful.DrillAsync(TimeSpan.FromMinutes(1));
        await app.UntilTellingAsync("Drilling");
        var report = await app.Services.GetRequiredService<HealthCheckService>().CheckHealthAsync().Soon();
        Assert.Equal(HealthStatus.Unhealthy, report.Entries["graceful"].Status);
        Assert.Equal("The server is not ready: it leaves, or practises to.", report.Entries["graceful"].Description);
    }

    [Fact]
    public async Task Both_may_be_asked_elsewhere_and_take_conventions()
    {
        await using var app = await TestApp.StartAsync(map: app =>
            app.MapGracefulHealth("/readyz", "/livez").WithMetadata(new HttpMethodMetadata(["GET"])));
        Assert.Equal((200, 200), (await StatusAsync(app, "/readyz"), await StatusAsync(app, "/livez")));
        Assert.Equal((404, 404), (await StatusAsync(app, "/health/ready"), await StatusAsync(app, "/health/live")));
    }

    [Fact]
    public async Task Without_AddGraceful_it_says_what_is_missing()
    {
        await using var app = WebApplication.CreateSlimBuilder().Build();
        var error = Assert.Throws<InvalidOperationException>(() => app.MapGracefulHealth());
        Assert.Contains("AddGraceful", error.Message, StringComparison.Ordinal);
    }

    private static async Task<int> StatusAsync(TestApp app, string path)
    {
        using var client = await RawClient.ConnectAsync(app.Port);
        return (await client.GetAsync(path)).Status;
    }
}
