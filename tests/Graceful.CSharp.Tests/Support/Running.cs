using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace Graceful.Tests.Support;

/// <summary>Any host that a test has built and started.</summary>
internal sealed class Running : IAsyncDisposable
{
    private readonly IHost _host;

    private Running(IHost host) => _host = host;

    public IGraceful Graceful => _host.Services.GetRequiredService<IGraceful>();

    public int Port => Addresses.Select(address => BindingAddress.Parse(address).Port).First();

    public IEnumerable<string> Addresses =>
        _host.Services.GetRequiredService<IServer>().Features.GetRequiredFeature<IServerAddressesFeature>().Addresses;

    public static async Task<Running> StartAsync(IHost host)
    {
        await host.StartAsync().Soon("The start");
        return new Running(host);
    }

    public async Task<ShutdownReport> LeaveAsync()
    {
        Graceful.Close();
        return await Graceful.Completion.Soon("The end of the way out");
    }

    /// <summary>What every server must do that Graceful reaches: an idle connection is told on its next response, and ends.</summary>
    public async Task MustDrainAsync(string path = "/", int status = 200)
    {
        foreach (var port in Addresses.Select(address => BindingAddress.Parse(address).Port).ToList())
        {
            Assert.False(Graceful.IsStopping);
            using var first = await RawClient.ConnectAsync(port);
            Assert.False((await first.GetAsync(path)).IsTold);
        }

        var clients = new List<RawClient>();
        foreach (var port in Addresses.Select(address => BindingAddress.Parse(address).Port).ToList())
        {
            var client = await RawClient.ConnectAsync(port);
            Assert.Equal(status, (await client.GetAsync(path)).Status);
            clients.Add(client);
        }

        Graceful.Close();
        await Limits.Until(() => Graceful.Stopping.IsCancellationRequested, "Stopping fired");
        foreach (var client in clients)
        {
            // Retiring is a step after Stopping, so the first answer may come too early to tell.
            var response = await client.GetAsync(path);
            Assert.Equal(status, response.Status);
            if (!response.IsTold)
            {
                await Quiet.LessAsync();
                response = await client.GetAsync(path);
            }

            Assert.True(response.IsTold);
            Assert.Equal(Ending.Fin, await client.EndAsync());
            client.Dispose();
        }

        var report = await Graceful.Completion.Soon("The end of the way out");
        Assert.Equal(0, report.ExitCode);
        Assert.Equal((clients.Count, clients.Count), ((int)report.ConnectionsTold, (int)report.ConnectionsClosed));
        await _host.StopAsync().Soon("The stop of the host");
    }

    public async ValueTask DisposeAsync()
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(3));
        await _host.StopAsync(limit.Token).Soon("The stop of the host");
        await ((IAsyncDisposable)_host).DisposeAsync().AsTask().Soon("The disposal of the host");
    }
}
