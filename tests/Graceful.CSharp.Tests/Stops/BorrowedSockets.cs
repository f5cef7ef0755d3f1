using System.Net;
using System.Net.Sockets;
using Graceful.Tests.Support;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Graceful.Tests.Stops;

/// <summary>A listening socket that somebody else opened and goes on with: a service manager, a successor.</summary>
public sealed class BorrowedSockets
{
    [Fact]
    public async Task A_borrowed_listener_is_left_as_it_was_and_who_waits_in_it_is_left_to_its_owner()
    {
        using var owner = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        owner.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        owner.Listen(64);
        var port = ((IPEndPoint)owner.LocalEndPoint!).Port;
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.ListenHandle((ulong)owner.Handle));
        builder.AddGraceful();
        await using var app = builder.Build();
        app.MapGet("/", () => "ok");
        await app.StartAsync();
        using (var client = await RawClient.ConnectAsync(port))
        {
            Assert.Equal(200, (await client.GetAsync("/")).Status);
        }

        await app.StopAsync();
        var report = await app.Services.GetRequiredService<IGraceful>().Completion;
        Assert.Contains("accepting stopped", Assert.Single(report.Listeners), StringComparison.Ordinal);

        using var late = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        await late.ConnectAsync(new IPEndPoint(IPAddress.Loopback, port)).Soon();
        using var accepted = await owner.AcceptAsync().Soon();
        Assert.Equal(((IPEndPoint)late.LocalEndPoint!).Port, ((IPEndPoint)accepted.RemoteEndPoint!).Port);
    }
}
