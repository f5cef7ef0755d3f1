using System.Net;
using System.Net.Sockets;
using Graceful.Tests.Support;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;

namespace Graceful.Tests.Activation;

/// <summary>One connection that was accepted before, in this very process.</summary>
public sealed class OneConnection
{
    [Fact]
    public async Task An_application_serves_it_listens_nowhere_and_leaves_with_it()
    {
        var (client, accepted) = await PairAsync();
        await using var app = await TestApp.StartAsync(graceful => graceful.UseAcceptedConnection(new AcceptedConnection(accepted)));
        Assert.Equal($"http://{accepted.LocalEndPoint}", Assert.Single(app.Host.Urls));
        Assert.Equal("ok", (await client.GetAsync("/")).Text);
        Assert.Equal("ok", (await client.GetAsync("/")).Text);
        Assert.False(app.Graceful.IsStopping);
        client.Dispose();
        var report = await app.ReportAsync();
        Assert.Equal((StopCause.ConnectionEnded, 0), (report.Reason.Cause, report.ExitCode));
        await app.Host.WaitForShutdownAsync().Soon();
    }

    [Fact]
    public async Task A_stop_finds_it_as_any_other_connection()
    {
        var (client, accepted) = await PairAsync();
        using var ours = client;
        await using var app = await TestApp.StartAsync(graceful => graceful.UseAcceptedConnection(new AcceptedConnection(accepted)));
        Assert.False((await client.GetAsync("/")).IsTold);
        await app.BeginDrainAsync();
        Assert.True((await client.GetAsync("/")).IsTold);
        Assert.Equal(Ending.Fin, await client.EndAsync());
        var report = await app.ReportAsync();
        Assert.Equal((StopCause.Requested, 0, 1), (report.Reason.Cause, report.ExitCode, (int)report.ConnectionsTold));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_server_without_a_builder_serves_it(bool keepAlive)
    {
        var (client, accepted) = await PairAsync();
        await using var server = new GracefulServer { Handler = Servers.Serving.Ok };
        var serving = server.ServeAcceptedAsync(new AcceptedConnection(accepted) { KeepAlive = keepAlive });
        Assert.Equal(!keepAlive, (await client.GetAsync("/")).IsTold);
        if (keepAlive)
        {
            Assert.Equal("ok", (await client.GetAsync("/")).Text);
            client.Dispose();
        }
        else
        {
            Assert.Equal(Ending.Fin, await client.EndAsync());
        }

        var report = await serving.Soon();
        Assert.Equal((StopCause.ConnectionEnded, 0), (report.Reason.Cause, report.ExitCode));
        client.Dispose();
    }

    [Fact]
    public async Task Without_keep_alive_one_response_is_the_last_over_HTTP_2_as_well()
    {
        var (client, accepted) = await PairAsync();
        await using var app = await TestApp.StartAsync(
            graceful => graceful.UseAcceptedConnection(new AcceptedConnection(accepted) { KeepAlive = false }),
            endpoint => endpoint.Protocols = Microsoft.AspNetCore.Server.Kestrel.Core.HttpProtocols.Http2);
        using var ours = client;

        // Preface, SETTINGS, and the HEADERS of GET / to its end: method, scheme, path and authority from the static table.
        await client.SendAsync(Convert.FromHexString("505249202A20485454502F322E300D0A0D0A534D0D0A0D0A000000040000000000" + "00000E010500000001" + "828684" + "4109" + "6C6F63616C686F7374"));
        await client.ReadToEndAsync();
        var report = await app.ReportAsync();
        Assert.Equal((StopCause.ConnectionEnded, 0), (report.Reason.Cause, report.ExitCode));
    }

    [Fact]
    public async Task A_pair_of_Unix_sockets_needs_no_address()
    {
        var path = Path.Combine(Path.GetTempPath(), $"graceful-{Guid.NewGuid()}");
        using var listener = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        listener.Bind(new UnixDomainSocketEndPoint(path));
        listener.Listen();
        using var client = await RawClient.ConnectAsync(new UnixDomainSocketEndPoint(path));
        await using var server = new GracefulServer { Handler = Servers.Serving.Ok };
        var serving = server.ServeAcceptedAsync(new AcceptedConnection(await listener.AcceptAsync().Soon()));
        Assert.Equal("ok", (await client.GetAsync("/")).Text);
        client.Dispose();
        Assert.Equal(0, (await serving.Soon()).ExitCode);
    }

    [Fact]
    public async Task A_handler_that_aborts_it_ends_the_server_in_order()
    {
        var (client, accepted) = await PairAsync();
        using var ours = client;
        await using var server = new GracefulServer
        {
            Handler = context =>
            {
                context.Abort();
                return Task.CompletedTask;
            },
        };
        var serving = server.ServeAcceptedAsync(new AcceptedConnection(accepted));
        await client.SendGetAsync("/");
        await client.ReadToEndAsync();
        Assert.Equal(0, (await serving.Soon()).ExitCode);
    }

    [Fact]
    public async Task The_endpoint_that_it_is_for_must_exist()
    {
        var (client, accepted) = await PairAsync();
        using var ours = client;
        var e = await Assert.ThrowsAsync<IOException>(() => TestApp.StartAsync(graceful => graceful.UseAcceptedConnection(new AcceptedConnection(accepted), "safe")));
        Assert.Contains("'safe'", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Another_server_can_not_serve_it_too()
    {
        var (client, accepted) = await PairAsync();
        using var ours = client;
        var connection = new AcceptedConnection(accepted);
        await using var server = new GracefulServer { Handler = Servers.Serving.Ok };
        var serving = server.ServeAcceptedAsync(connection);
        Assert.Equal("ok", (await client.GetAsync("/")).Text);
        await using var other = new GracefulServer { Handler = Servers.Serving.Ok };
        var e = await Assert.ThrowsAsync<InvalidOperationException>(() => other.ServeAcceptedAsync(connection).Soon("The refusal"));
        Assert.Contains("is served already; allowed is", e.Message, StringComparison.Ordinal);
        Assert.Equal("ok", (await client.GetAsync("/")).Text);
        client.Dispose();
        Assert.Equal(0, (await serving.Soon()).ExitCode);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_start_that_fails_closes_it(bool beforeItIsBound)
    {
        var (client, accepted) = await PairAsync();
        using var ours = client;
        var builder = WebApplication.CreateSlimBuilder();
        builder.Services.Insert(0, beforeItIsBound ? ServiceDescriptor.Singleton<IHostedService>(new Failing()) : ServiceDescriptor.Singleton(new Failing()));
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            kestrel.Listen(IPAddress.Loopback, 0);
            kestrel.Listen(new NoPlace());
        });
        builder.AddGraceful(options => options.UseAcceptedConnection(new AcceptedConnection(accepted)));
        await using (var app = builder.Build())
        {
            await Assert.ThrowsAnyAsync<Exception>(() => app.StartAsync().Soon("The failure"));
        }

        await client.EndAsync();
    }

    [Fact]
    public async Task A_server_that_can_not_start_closes_it()
    {
        var (client, accepted) = await PairAsync();
        using var ours = client;
        await using var server = new GracefulServer { Handler = Servers.Serving.Ok }.Configure(options => options.QuietPeriod = TimeSpan.FromDays(1));
        await Assert.ThrowsAsync<OptionsValidationException>(() => server.ServeAcceptedAsync(new AcceptedConnection(accepted)).Soon("The failure"));
        await client.EndAsync();
    }

    [Fact]
    public async Task A_stop_before_it_is_served_closes_it()
    {
        var (client, accepted) = await PairAsync();
        using var ours = client;
        await using var server = new GracefulServer { Handler = Servers.Serving.Ok };
        await server.ServeAcceptedAsync(new AcceptedConnection(accepted), new CancellationToken(canceled: true)).Soon("The end");
        await client.EndAsync();
    }

    [Fact]
    public async Task Sockets_that_listen_beside_it_are_refused()
    {
        var (client, accepted) = await PairAsync();
        using var ours = client;
        using var listens = Servers.Sockets.Listening();
        var e = await Assert.ThrowsAsync<OptionsValidationException>(() => TestApp.StartAsync(graceful =>
        {
            graceful.UseSocketActivation(new SocketActivation([new ActivatedSocket("web", (int)listens.Handle, listens)]));
            graceful.UseAcceptedConnection(new AcceptedConnection(accepted));
        }));
        Assert.Contains("UseAcceptedConnection has a connection and UseSocketActivation has web (127.0.0.1:", e.Message, StringComparison.Ordinal);
        Assert.Contains("allowed is one of the two", e.Message, StringComparison.Ordinal);
        accepted.Dispose();
    }

    [Fact]
    public async Task Where_the_client_was_is_known_when_it_is_over()
    {
        var (client, accepted) = await PairAsync();
        using var ours = client;
        var (address, connection) = (accepted.RemoteEndPoint, new AcceptedConnection(accepted));
        accepted.Dispose();
        Assert.NotNull(address);
        Assert.Equal(address, connection.RemoteEndPoint);
    }

    [Fact]
    public void What_is_no_connection_is_refused()
    {
        using var listens = Servers.Sockets.Listening();
        using var datagram = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
        using var fresh = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        Assert.Contains("listens; allowed is", Assert.Throws<ArgumentException>(() => _ = new AcceptedConnection(listens)).Message, StringComparison.Ordinal);
        Assert.Contains("type Dgram; allowed is", Assert.Throws<ArgumentException>(() => _ = new AcceptedConnection(datagram)).Message, StringComparison.Ordinal);
        Assert.Contains("is not connected; allowed is", Assert.Throws<ArgumentException>(() => _ = new AcceptedConnection(fresh)).Message, StringComparison.Ordinal);
        using var bound = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        bound.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        Assert.Contains("is not connected; allowed is", Assert.Throws<ArgumentException>(() => _ = new AcceptedConnection(bound)).Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentNullException>(() => _ = new AcceptedConnection(null!));
        Assert.Throws<ArgumentOutOfRangeException>(() => AcceptedConnection.FromDescriptor(-1));
        Assert.Contains("999999 is not open; allowed is", Assert.Throws<InvalidOperationException>(() => AcceptedConnection.FromDescriptor(999999)).Message, StringComparison.Ordinal);
        Assert.Contains("listens; allowed is", Assert.Throws<InvalidOperationException>(() => AcceptedConnection.FromDescriptor((int)listens.Handle)).Message, StringComparison.Ordinal);
        using var file = File.OpenHandle(typeof(OneConnection).Assembly.Location);
        Assert.Contains("is no socket but /", Assert.Throws<InvalidOperationException>(() => AcceptedConnection.FromDescriptor((int)file.DangerousGetHandle())).Message, StringComparison.Ordinal);
    }

    /// <summary>No transport listens here.</summary>
    private sealed class NoPlace : EndPoint;

    private sealed class Failing : BackgroundService
    {
        public override Task StartAsync(CancellationToken cancellationToken) => throw new IOException("no");

        protected override Task ExecuteAsync(CancellationToken stoppingToken) => Task.CompletedTask;
    }

    private static async Task<(RawClient Client, Socket Accepted)> PairAsync()
    {
        using var listener = Servers.Sockets.Listening();
        var client = await RawClient.ConnectAsync(((IPEndPoint)listener.LocalEndPoint!));
        return (client, await listener.AcceptAsync().Soon());
    }
}
