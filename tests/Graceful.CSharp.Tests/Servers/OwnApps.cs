using System.Net;
using Graceful.Posix;
using Graceful.Tests.Support;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Graceful.Tests.Servers;

/// <summary>An application that the user built and configured, in the hands of a server.</summary>
public sealed class OwnApps
{
    [Fact]
    public async Task One_is_served_with_its_own_endpoints_and_options_and_disposed()
    {
        var app = Build(options => options.OwnsProcess = false);
        await using var server = new GracefulServer();
        await using var serving = await Serving.StartAsync(server, server.ServeAsync(app));
        using var client = await RawClient.IdleAsync(serving.Port);
        Assert.Same(app.Services.GetRequiredService<IGraceful>(), await server.Started);
        var report = await serving.CloseAsync();
        Assert.Equal(Ending.Fin, await client.EndAsync());
        Assert.Equal((0, StopCause.Requested), (report.ExitCode, report.Reason.Cause));
        Assert.Throws<ObjectDisposedException>(() => app.Services.GetService<IGraceful>());
        await app.DisposeAsync();
    }

    [Fact]
    public async Task A_stop_of_its_host_ends_the_serve_call_too()
    {
        var app = Build();
        await using var server = new GracefulServer();
        await using var serving = await Serving.StartAsync(server, server.ServeAsync(app));
        app.Lifetime.StopApplication();
        Assert.Equal(StopCause.HostStopped, (await serving.Report.Soon()).Reason.Cause);
        Assert.Equal(StopCause.HostStopped, server.Reason!.Value.Cause);
    }

    [Fact]
    public async Task Signals_of_the_server_are_taken_out_of_the_application()
    {
        var app = Build(options => options.Signals["SIGUSR2"] = SignalAction.Stop);
        await using var server = new GracefulServer().CloseOnSignals("12", "TERM");
        await using var serving = await Serving.StartAsync(server, server.ServeAsync(app));
        var signals = app.Services.GetRequiredService<SignalSource>();
        Assert.False(signals.TryTake(12));
        Assert.False(signals.TryTake(15));
        Assert.False((await server.Started).IsStopping);
        await serving.CloseAsync();
    }

    [Fact]
    public async Task A_signal_that_the_application_heard_before_the_server_is_not_lost()
    {
        var app = Build();
        Assert.True(app.Services.GetRequiredService<SignalSource>().TryTake(15));
        await using var server = new GracefulServer().CloseOnSignals();
        var report = await server.ServeAsync(app).Soon();
        Assert.Equal((0, "SIGTERM"), (report.ExitCode, server.SignalReceived));
    }

    [Fact]
    public async Task One_without_Graceful_is_refused_at_once_and_so_are_settings_that_would_not_hold()
    {
        var plain = WebApplication.CreateSlimBuilder().Build();
        var server = new GracefulServer();
        Assert.Contains("call builder.AddGraceful() before builder.Build()", Error(server, plain), StringComparison.Ordinal);
        await plain.DisposeAsync();
        var app = Build();
        Assert.Contains("StateHandler", Error(new GracefulServer { StateHandler = (_, _, _) => { } }, app), StringComparison.Ordinal);
        Assert.Contains("Configure", Error(new GracefulServer().Configure(_ => { }), app), StringComparison.Ordinal);
        Assert.Contains("so Address and Handler of this server would not hold", Error(new GracefulServer(Serving.Loopback, Serving.Ok), app), StringComparison.Ordinal);
        Assert.Contains("so Handler of", Error(new GracefulServer { Handler = Serving.Ok }, app), StringComparison.Ordinal);
        Assert.Contains("so TcpKeepAlive of", Error(new GracefulServer { TcpKeepAlive = TimeSpan.FromSeconds(15) }, app), StringComparison.Ordinal);
        Assert.Throws<ArgumentNullException>(() => { _ = server.ServeAsync((WebApplication)null!); });
        await app.DisposeAsync();

        static string Error(GracefulServer server, WebApplication app) =>
            Assert.Throws<InvalidOperationException>(() => { _ = server.ServeAsync(app); }).Message;
    }

    private static WebApplication Build(Action<GracefulOptions>? options = null)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0));
        builder.AddGraceful(options);
        var app = builder.Build();
        app.MapGet("/", () => "ok");
        return app;
    }
}
