using System.Net.Sockets;
using Graceful.Tests.Support;
using Microsoft.AspNetCore.Http;

namespace Graceful.Tests.Servers;

/// <summary>A server that serves, and how one gets at it.</summary>
internal sealed class Serving(GracefulServer server, Task<ShutdownReport> report) : IAsyncDisposable
{
    public const string Loopback = "127.0.0.1:0";

    public GracefulServer Server => server;

    public Task<ShutdownReport> Report => report;

    public int Port => PortOf(server);

    public static Task Ok(HttpContext context) => context.Response.WriteAsync("ok");

    public static int PortOf(GracefulServer server) => BindingAddress.Parse(server.Addresses[0]).Port;

    public static Task<Serving> StartAsync(RequestDelegate? handler = null, Action<GracefulServer>? with = null, string address = Loopback)
    {
        var server = new GracefulServer(address, handler ?? Ok);
        with?.Invoke(server);
        return StartAsync(server);
    }

    public static Task<Serving> StartAsync(GracefulServer server) => StartAsync(server, server.ListenAndServeAsync());

    public static Task<Serving> StartAsync(GracefulServer server, Socket listener) => StartAsync(server, server.ServeAsync(listener, keep: _ => true));

    public static async Task<Serving> StartAsync(GracefulServer server, Task<ShutdownReport> report)
    {
        await server.Started.Soon("The start");
        return new Serving(server, report);
    }

    public async Task<ShutdownReport> CloseAsync()
    {
        Assert.True(server.Close());
        return await report.Soon("The end");
    }

    public async ValueTask DisposeAsync() => await server.DisposeAsync().AsTask().Soon("The disposal");
}
