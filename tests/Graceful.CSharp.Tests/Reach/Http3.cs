using System.Net;
using System.Net.Sockets;
using Graceful.Engine;
using Graceful.Tests.Support;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.TestHost;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Graceful.Tests.Reach;

/// <summary>
/// HTTP/3 travels over a transport of its own, which we leave to Kestrel: its requests are counted and waited for, its connections
/// are not known here.
/// </summary>
public sealed class Http3
{
    [Fact]
    public async Task An_endpoint_that_may_speak_it_too_is_served_and_drained_as_any_other()
    {
        // With msquic Kestrel listens for it, and without that says so and goes on.
        await using var app = await TestApp.StartAsync(listen: EverythingOverTls);
        await MustDrainAsync(app);
    }

    [Fact]
    public async Task A_listener_of_its_transport_is_left_open_until_the_drain_is_over()
    {
        var quic = new Multiplexed();
        var port = FreePort();
        await using var app = await TestApp.StartAsync(
            listen: EverythingOverTls,
            build: builder =>
            {
                // Kestrel gives HTTP/3 no port of the system's choice.
                builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, port, EverythingOverTls));
                builder.Services.AddSingleton<IMultiplexedConnectionListenerFactory>(quic);
            });
        Assert.True(quic.IsBound);
        await MustDrainAsync(app, whileDraining: () => Assert.False(quic.IsUnbound));
        await app.Host.StopAsync().Soon("The stop of the host");
        Assert.True(quic.IsUnbound);
    }

    [Fact]
    public async Task A_request_of_it_is_in_flight_and_waited_for_as_any_other_and_hears_no_header_that_it_does_not_know()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseTestServer();
        builder.AddGraceful();
        await using var app = builder.Build();
        var door = new Door();
        app.MapGet("/door", async () =>
        {
            await door.PassAsync();
            return "ok, at last";
        });
        await app.StartAsync().Soon();
        var request = app.GetTestServer().SendAsync(context =>
        {
            context.Request.Method = HttpMethods.Get;
            context.Request.Path = "/door";
            context.Request.Protocol = HttpProtocol.Http3;
        });
        await door.Reached();
        var graceful = app.Services.GetRequiredService<IGraceful>();
        Assert.Equal(1, app.Services.GetRequiredService<LifecycleEngine>().RequestsInFlight);
        graceful.Close();
        await Limits.Until(() => graceful.Stopping.IsCancellationRequested, "Stopping fired");
        await Quiet.LessAsync();
        Assert.False(graceful.Completion.IsCompleted);
        door.Open();
        var context = await request.Soon("The answer");
        Assert.Equal(StatusCodes.Status200OK, context.Response.StatusCode);
        Assert.Equal(0, context.Response.Headers.Connection.Count);
        var report = await graceful.Completion.Soon("The end of the way out");
        Assert.Equal((0, 1), (report.ExitCode, (int)report.RequestsFinished));
        await app.StopAsync().Soon();
    }

    private static int FreePort()
    {
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        socket.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        return ((IPEndPoint)socket.LocalEndPoint!).Port;
    }

    private static void EverythingOverTls(ListenOptions listen)
    {
        listen.Protocols = HttpProtocols.Http1AndHttp2AndHttp3;
        listen.UseHttps(Certificate.ForTests);
    }

    private static async Task MustDrainAsync(TestApp app, Action? whileDraining = null)
    {
        using var handler = new SocketsHttpHandler { UseProxy = false };
        handler.SslOptions.RemoteCertificateValidationCallback = Certificate.IsOurs;
        using var client = new HttpClient(handler) { DefaultRequestVersion = HttpVersion.Version20, DefaultVersionPolicy = HttpVersionPolicy.RequestVersionExact };
        var request = client.GetStringAsync($"https://127.0.0.1:{app.Port}/door");
        await app.Door.Reached();
        await app.BeginDrainAsync();
        whileDraining?.Invoke();
        app.Door.Open();
        Assert.Equal("ok, at last", await request.Soon());
        var report = await app.ReportAsync();
        Assert.Equal((0, 1), (report.ExitCode, (int)report.RequestsFinished));
    }

    /// <summary>A transport that has no connections; it notes what Kestrel does with it.</summary>
    private sealed class Multiplexed : IMultiplexedConnectionListenerFactory, IMultiplexedConnectionListener
    {
        private readonly TaskCompletionSource _unbound = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public bool IsBound { get; private set; }

        public bool IsUnbound => _unbound.Task.IsCompleted;

        public EndPoint EndPoint { get; private set; } = new IPEndPoint(IPAddress.Loopback, 0);

        public ValueTask<IMultiplexedConnectionListener> BindAsync(EndPoint endpoint, IFeatureCollection? features = null, CancellationToken cancellationToken = default)
        {
            EndPoint = endpoint;
            IsBound = true;
            return new(this);
        }

        public async ValueTask<MultiplexedConnectionContext?> AcceptAsync(IFeatureCollection? features = null, CancellationToken cancellationToken = default)
        {
            await _unbound.Task.WaitAsync(cancellationToken);
            return null;
        }

        public ValueTask UnbindAsync(CancellationToken cancellationToken = default)
        {
            _unbound.TrySetResult();
            return default;
        }

        public ValueTask DisposeAsync() => default;
    }
}
