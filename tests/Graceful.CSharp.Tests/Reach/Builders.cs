using System.Net;
using Graceful.Tests.Support;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Graceful.Tests.Reach;

/// <summary>One line makes any Kestrel app graceful, however it is built and wherever its endpoints come from.</summary>
public sealed class Builders
{
    [Fact]
    public async Task A_builder_with_everything_and_an_address_by_UseUrls()
    {
        var builder = Silent(WebApplication.CreateBuilder());
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.AddGraceful(Quiet.Long);
        await using var running = await Running.StartAsync(Ok(builder.Build()));
        await running.MustDrainAsync();
    }

    [Fact]
    public async Task An_app_without_endpoints()
    {
        var builder = Silent(WebApplication.CreateSlimBuilder());
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.AddGraceful(Quiet.Long);
        await using var running = await Running.StartAsync(builder.Build());
        await running.MustDrainAsync(status: 404);
    }

    [Fact]
    public async Task An_empty_builder_with_Kestrel_added()
    {
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().UseUrls("http://127.0.0.1:0");
        builder.AddGraceful(Quiet.Long);
        var app = builder.Build();
        app.Run(context => context.Response.WriteAsync("ok"));
        await using var running = await Running.StartAsync(app);
        await running.MustDrainAsync();
    }

    [Fact]
    public async Task An_empty_builder_to_which_Kestrel_is_added_afterwards()
    {
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.AddGraceful(Quiet.Long);
        builder.WebHost.UseKestrelCore().UseUrls("http://127.0.0.1:0");
        var app = builder.Build();
        app.Run(context => context.Response.WriteAsync("ok"));
        await using var running = await Running.StartAsync(app);
        await running.MustDrainAsync();
    }

    [Fact]
    public async Task UseKestrel_after_AddGraceful()
    {
        var builder = Silent(WebApplication.CreateSlimBuilder());
        builder.AddGraceful(Quiet.Long);
        builder.WebHost.UseKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0));
        await using var running = await Running.StartAsync(Ok(builder.Build()));
        await running.MustDrainAsync();
    }

    [Fact]
    public async Task Endpoints_from_the_configuration()
    {
        var builder = Silent(WebApplication.CreateBuilder());
        builder.Configuration.AddInMemoryCollection(new Dictionary<string, string?>
        {
            ["Kestrel:Endpoints:One:Url"] = "http://127.0.0.1:0",
            ["Kestrel:Endpoints:Two:Url"] = "http://127.0.0.1:0",
        });
        builder.AddGraceful(Quiet.Long);
        await using var running = await Running.StartAsync(Ok(builder.Build()));
        Assert.Equal(2, running.Addresses.Count());
        await running.MustDrainAsync();
    }

    [Fact]
    public async Task Endpoints_from_code_before_and_after_AddGraceful_and_one_on_IPv6()
    {
        var builder = Silent(WebApplication.CreateSlimBuilder());
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0));
        builder.AddGraceful(Quiet.Long);
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            kestrel.Listen(IPAddress.Loopback, 0);
            kestrel.Listen(IPAddress.IPv6Loopback, 0);
        });
        await using var running = await Running.StartAsync(Ok(builder.Build()));
        Assert.Equal(3, running.Addresses.Count());
        using var six = await RawClient.ConnectAsync(new IPEndPoint(
            IPAddress.IPv6Loopback, BindingAddress.Parse(running.Addresses.Single(address => address.Contains("[::1]", StringComparison.Ordinal))).Port));
        Assert.Equal(200, (await six.GetAsync("/")).Status);
        var report = await running.LeaveAsync();
        Assert.Equal(Ending.Fin, await six.EndAsync());
        Assert.Equal((0, 3, 1), (report.ExitCode, report.Listeners.Count, (int)report.ConnectionsClosed));
    }

    [Fact]
    public async Task A_host_with_a_web_host_in_it()
    {
        var host = Host.CreateDefaultBuilder()
            .ConfigureLogging(logging => logging.ClearProviders())
            .ConfigureWebHostDefaults(web => web
                .UseUrls("http://127.0.0.1:0")
                .Configure(app => app.Run(context => context.Response.WriteAsync("ok"))))
            .ConfigureServices(services => services.AddGraceful(Quiet.Long))
            .Build();
        await using var running = await Running.StartAsync(host);
        await running.MustDrainAsync();
    }

    [Fact]
    public async Task A_host_whose_services_were_made_graceful_before_its_web_host_was_added()
    {
        var host = Host.CreateDefaultBuilder()
            .ConfigureLogging(logging => logging.ClearProviders())
            .ConfigureServices(services => services.AddGraceful(Quiet.Long))
            .ConfigureWebHostDefaults(web => web
                .UseUrls("http://127.0.0.1:0")
                .Configure(app => app.Run(context => context.Response.WriteAsync("ok"))))
            .Build();
        await using var running = await Running.StartAsync(host);
        await running.MustDrainAsync();
    }

    [Fact]
    public async Task Controllers()
    {
        var builder = Silent(WebApplication.CreateBuilder());
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.AddGraceful(Quiet.Long);
        builder.Services.AddControllers().AddApplicationPart(typeof(GreetingController).Assembly);
        var app = builder.Build();
        app.MapControllers();
        await using var running = await Running.StartAsync(app);
        await running.MustDrainAsync("/greeting");
    }

    [Fact]
    public async Task A_second_AddGraceful_only_configures()
    {
        var builder = WebApplication.CreateSlimBuilder();
        var log = new LogBook();
        builder.Logging.ClearProviders().AddProvider(log);
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        var hooks = 0;
        builder.AddGraceful(options => options.OnStopping("first", TimeSpan.FromSeconds(5), CountAsync));
        var services = builder.Services.Count;
        Assert.Same(builder, builder.AddGraceful());
        Assert.Equal(services, builder.Services.Count);
        builder.Services.AddGraceful(options =>
        {
            Quiet.Long(options);
            options.OnStopping("second", TimeSpan.FromSeconds(5), CountAsync);
        });
        Assert.Equal(services + 1, builder.Services.Count);
        await using var running = await Running.StartAsync(Ok(builder.Build()));
        await running.MustDrainAsync();
        Assert.Equal(2, hooks);
        Assert.Single(log.Entries, entry => entry.Text.StartsWith("Left after", StringComparison.Ordinal));

        Task CountAsync(StopReason reason, CancellationToken token)
        {
            hooks++;
            return Task.CompletedTask;
        }
    }

    [Fact]
    public void Null_is_refused()
    {
        Assert.Throws<ArgumentNullException>(() => ((IServiceCollection)null!).AddGraceful());
        Assert.Throws<ArgumentNullException>(() => ((WebApplicationBuilder)null!).AddGraceful());
    }

    [Fact]
    public async Task A_host_without_a_web_server()
    {
        var builder = Host.CreateApplicationBuilder();
        builder.Logging.ClearProviders();
        var ran = false;
        builder.AddGraceful(options => options.OnDrained("flush", TimeSpan.FromSeconds(5), (_, _) =>
        {
            ran = true;
            return Task.CompletedTask;
        }));
        await using var running = await Running.StartAsync(builder.Build());
        var report = await running.LeaveAsync();
        Assert.True(ran);
        Assert.Equal(0, report.ExitCode);
    }

    [Fact]
    public async Task A_host_that_is_never_started_or_disposed_without_a_stop_harms_nothing()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.AddGraceful();
        await builder.Build().DisposeAsync();

        var app = TestApp.Make();
        await app.Host.StartAsync().Soon();
        using var client = await RawClient.IdleAsync(app.Port);
        await app.Host.DisposeAsync().AsTask().Soon("The disposal");
        await client.ReadToEndAsync();

        using var host = (IDisposable)TestApp.Make().Host;
        using var provider = new ServiceCollection().AddLogging().AddGraceful().BuildServiceProvider();
        Assert.NotNull(provider.GetService<Graceful.Engine.LifecycleEngine>());
    }

    private static WebApplicationBuilder Silent(WebApplicationBuilder builder)
    {
        builder.Logging.ClearProviders();
        return builder;
    }

    private static WebApplication Ok(WebApplication app)
    {
        app.MapGet("/", () => "ok");
        return app;
    }
}
