using System.Net;
using System.Net.Sockets;
using Graceful.Tests.Support;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Configuration.Memory;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Graceful.Tests.Reach;

/// <summary>What else Kestrel and the process do with listeners and connections.</summary>
public sealed class Neighbours
{
    [Fact]
    public async Task Two_hosts_in_one_process_leave_each_by_itself()
    {
        await using var one = await TestApp.StartAsync();
        await using var other = await TestApp.StartAsync();
        using var client = await RawClient.IdleAsync(other.Port);
        Assert.Equal(0, (await one.LeaveAsync()).ExitCode);
        await one.Host.StopAsync().Soon();
        Assert.False(other.Graceful.IsStopping);
        Assert.False((await client.GetAsync("/")).IsTold);
        Assert.Equal(0, (await other.LeaveAsync()).ExitCode);
        Assert.Equal(Ending.Fin, await client.EndAsync());
    }

    [Fact]
    public async Task A_connection_that_Kestrel_turns_away_is_not_waited_for()
    {
        await using var app = await TestApp.StartAsync(
            options => options.QuietPeriod = TimeSpan.FromSeconds(30),
            build: builder => builder.WebHost.ConfigureKestrel(kestrel => kestrel.Limits.MaxConcurrentConnections = 1));
        using var first = await RawClient.IdleAsync(app.Port);
        using var turnedAway = await RawClient.ConnectAsync(app.Port);
        await turnedAway.ReadToEndAsync();
        await app.BeginDrainAsync();
        first.HalfClose();
        var report = await app.ReportAsync();
        Assert.Equal(0, report.ExitCode);
        Assert.InRange(report.Duration.TotalSeconds, 0, 8);
    }

    [Fact]
    public async Task A_listener_that_a_change_of_the_configuration_replaced_is_forgotten()
    {
        var (before, after) = (FreePort(), FreePort());
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        var memory = new MemoryConfigurationSource { InitialData = [new("Kestrel:Endpoints:One:Url", $"http://127.0.0.1:{before}")] };
        builder.Configuration.Sources.Add(memory);
        builder.WebHost.UseKestrel((context, kestrel) => kestrel.Configure(context.Configuration.GetSection("Kestrel"), reloadOnChange: true));
        builder.AddGraceful(Quiet.Long);
        var app = builder.Build();
        app.MapGet("/", () => "ok");
        await using var running = await Running.StartAsync(app);
        using (var old = await RawClient.ConnectAsync(before))
        {
            Assert.Equal(200, (await old.GetAsync("/")).Status);
        }

        app.Configuration["Kestrel:Endpoints:One:Url"] = $"http://127.0.0.1:{after}";
        ((IConfigurationRoot)app.Configuration).Reload();
        RawClient? client = null;
        await Limits.Until(() => TryConnect(after), "the new endpoint listens");
        client = await RawClient.ConnectAsync(after);
        Assert.Equal(200, (await client.GetAsync("/")).Status);
        running.Graceful.Close();
        await Limits.Until(() => !TryConnect(after), "the new endpoint is closed");
        Assert.True((await client.GetAsync("/")).IsTold);
        Assert.Equal(Ending.Fin, await client.EndAsync());
        client.Dispose();
        var report = await running.Graceful.Completion.Soon();
        Assert.Equal(0, report.ExitCode);
        Assert.StartsWith($"127.0.0.1:{after}: ", Assert.Single(report.Listeners), StringComparison.Ordinal);
    }

    private static bool TryConnect(int port)
    {
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        try
        {
            return socket.ConnectAsync(new IPEndPoint(IPAddress.Loopback, port)).Wait(200);
        }
        catch (AggregateException)
        {
            return false;
        }
    }

    private static int FreePort()
    {
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        socket.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        return ((IPEndPoint)socket.LocalEndPoint!).Port;
    }
}
