using System.Net;
using System.Net.Sockets;
using Graceful.Tests.Support;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Graceful.Tests.Activation;

/// <summary>Which given socket is served in the place of which endpoint. Each endpoint says in its answers which one it is.</summary>
public sealed class Places : IDisposable
{
    private readonly List<Socket> _sockets = [];

    public void Dispose() => _sockets.ForEach(socket => socket.Dispose());

    [Fact]
    public async Task One_endpoint_of_both_loopback_addresses_serves_all()
    {
        var sockets = Given("a", "b", "c");
        await using var app = await StartAsync(sockets, kestrel => kestrel.ListenLocalhost(5000, As("localhost")));
        Assert.Equal(["localhost", "localhost", "localhost"], await AskAllAsync(sockets));
        Assert.Equal(sockets.Select(socket => $"http://{socket.Socket.LocalEndPoint}"), app.Urls);
    }

    [Fact]
    public async Task Several_endpoints_are_served_in_their_order()
    {
        var sockets = Given("a", "b");
        await using var app = await StartAsync(sockets, kestrel =>
        {
            kestrel.ListenAnyIP(5000, As("first"));
            kestrel.ListenUnixSocket("/nowhere/at/all", As("second"));
        });
        Assert.Equal(["first", "second"], await AskAllAsync(sockets));
        Assert.Equal(sockets.Select(socket => $"http://{socket.Socket.LocalEndPoint}"), app.Urls);
    }

    [Fact]
    public async Task Two_endpoints_of_the_same_address_have_a_socket_each()
    {
        var sockets = Given("a", "b");
        await using var app = await StartAsync(sockets, kestrel =>
        {
            kestrel.Listen(IPAddress.Loopback, 0, As("first"));
            kestrel.Listen(IPAddress.Loopback, 0, As("second"));
        });
        Assert.Equal(["first", "second"], await AskAllAsync(sockets));
    }

    [Fact]
    public async Task An_address_that_is_configured_comes_before_the_order()
    {
        var sockets = Given("a", "b");
        await using var app = await StartAsync(sockets, kestrel =>
        {
            kestrel.Listen(sockets[1].Socket.LocalEndPoint!, As("second"));
            kestrel.Listen(sockets[0].Socket.LocalEndPoint!, As("first"));
        });
        Assert.Equal(["first", "second"], await AskAllAsync(sockets));
    }

    [Fact]
    public async Task URLs_are_replaced_too()
    {
        var sockets = Given("a", "b");
        await using var app = await StartAsync(sockets, _ => { }, build: builder => builder.WebHost.UseUrls("http://localhost:5000", "http://*:5001"));
        Assert.Equal(["", ""], await AskAllAsync(sockets));
    }

    [Fact]
    public async Task Endpoints_without_a_namesake_are_bound_as_they_are_configured()
    {
        var sockets = Given("WEB", "web");
        await using var app = await StartAsync(
            sockets,
            kestrel => kestrel.Configure(Configuration(("admin", "http://127.0.0.1:0"), ("Web", "http://[::1]:5000"))).Endpoint("admin", endpoint => As("admin")(endpoint.ListenOptions)).Endpoint("Web", endpoint => As("web")(endpoint.ListenOptions)));
        Assert.Equal(["web", "web"], await AskAllAsync(sockets));
        var admin = Assert.Single(app.Urls, url => !sockets.Any(socket => url.EndsWith($"{socket.Socket.LocalEndPoint}", StringComparison.Ordinal)));
        Assert.Equal("admin", await AskAsync(IPEndPoint.Parse(new Uri(admin).Authority)));
    }

    [Fact]
    public async Task Two_names_at_one_URL_have_their_namesakes_each()
    {
        var sockets = Given("b", "a", "b");
        await using var app = await StartAsync(sockets, kestrel => kestrel.Configure(Configuration(("a", "http://127.0.0.1:0"), ("b", "http://127.0.0.1:0")))
            .Endpoint("a", endpoint => As("a")(endpoint.ListenOptions)).Endpoint("b", endpoint => As("b")(endpoint.ListenOptions)));
        Assert.Equal(["b", "a", "b"], await AskAllAsync(sockets));
    }

    [Fact]
    public async Task Two_names_at_one_URL_and_sockets_for_one_of_them_fail_the_start() => await FailsAsync(
        Given("b"),
        kestrel => kestrel.Configure(Configuration(("a", "http://127.0.0.1:0"), ("b", "http://127.0.0.1:0"))),
        "The endpoints a and b have one URL, and of the sockets given to this process only b (127.0.0.1:");

    [Fact]
    public async Task Two_sockets_of_one_address_serve_two_endpoints_of_it()
    {
        const int SolSocket = 1, SoReusePort = 15;
        var one = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        var other = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        foreach (var socket in new[] { one, other })
        {
            _sockets.Add(socket);
            socket.SetRawSocketOption(SolSocket, SoReusePort, BitConverter.GetBytes(1));
            socket.Bind(socket == one ? new IPEndPoint(IPAddress.Loopback, 0) : one.LocalEndPoint!);
            socket.Listen();
        }

        ActivatedSocket[] sockets = [new("one", (int)one.Handle, one), new("other", (int)other.Handle, other)];
        await using var app = await StartAsync(sockets, kestrel =>
        {
            kestrel.Listen(one.LocalEndPoint!, As("same"));
            kestrel.Listen(one.LocalEndPoint!, As("same"));
        });
        Assert.Equal(["same", "same"], await AskAllAsync(sockets));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Options_of_the_transport_hold(bool noDelay)
    {
        var sockets = Given("a");
        await using var app = await StartAsync(
            sockets,
            kestrel => kestrel.Listen(IPAddress.Loopback, 0, endpoint => endpoint.Use(next => connection =>
            {
                connection.Items["name"] = connection.Features.Get<Microsoft.AspNetCore.Connections.Features.IConnectionSocketFeature>()!.Socket.NoDelay;
                return next(connection);
            })),
            build: builder => builder.WebHost.UseSockets(transport => transport.NoDelay = noDelay));
        Assert.Equal([$"{noDelay}"], await AskAllAsync(sockets));
    }

    [Fact]
    public void Every_option_that_a_transport_and_its_connections_have_in_common_is_handed_on()
    {
        var transport = new SocketTransportOptions
        {
            IOQueueCount = 3, WaitForDataBeforeAllocatingBuffer = false, MaxReadBufferSize = 4711, MaxWriteBufferSize = 4712, UnsafePreferInlineScheduling = true,
        };
        var handed = Graceful.Kestrel.GivenTransport.Of(transport);
        var common = typeof(SocketConnectionFactoryOptions).GetProperties().Where(property => typeof(SocketTransportOptions).GetProperty(property.Name) is not null).ToList();
        Assert.Equal(5, common.Count);
        Assert.All(common, property => Assert.Equal(typeof(SocketTransportOptions).GetProperty(property.Name)!.GetValue(transport), property.GetValue(handed)));
    }

    [Fact]
    public async Task Endpoints_that_change_keep_their_sockets()
    {
        var configuration = (IConfigurationRoot)Configuration(("web", "http://127.0.0.1:5000"), ("web:Protocols", "Http1"));
        var sockets = Given("web", "web");
        await using var app = await StartAsync(sockets, kestrel => kestrel.Configure(configuration, reloadOnChange: true).Endpoint("web", endpoint => As("web")(endpoint.ListenOptions)));
        Assert.Equal(["web", "web"], await AskAllAsync(sockets));
        configuration["Endpoints:web:Url"] = "http://127.0.0.1:5001";
        configuration.Reload();
        await Limits.Until(() => app.Services.GetRequiredService<LogBook>().Entries.Count(entry => entry.Text.Contains("is served from", StringComparison.Ordinal)) == 4, "it is bound again");
        Assert.Equal(["web", "web"], await AskAllAsync(sockets));
    }

    [Fact]
    public async Task More_sockets_than_several_endpoints_fail_the_start() => await FailsAsync(
        Given("a", "b", "c"),
        kestrel =>
        {
            kestrel.Listen(IPAddress.Loopback, 0);
            kestrel.Listen(IPAddress.Loopback, 1);
        },
        "No endpoint is configured for c (127.0.0.1:");

    [Fact]
    public async Task Fewer_sockets_than_endpoints_fail_the_start() => await FailsAsync(
        Given("a"),
        kestrel =>
        {
            kestrel.Listen(IPAddress.Loopback, 0);
            kestrel.ListenLocalhost(5001);
        },
        "No socket is left for the endpoint 127.0.0.1:5001: given to this process were a (127.0.0.1:");

    [Fact]
    public async Task A_name_among_names_that_no_endpoint_has_fails_the_start() => await FailsAsync(
        Given("web", "wob"), kestrel => kestrel.Configure(Configuration(("web", "http://127.0.0.1:0"))), "The socket wob (127.0.0.1:");

    [Fact]
    public async Task An_address_that_comes_too_late_fails_the_start()
    {
        var sockets = Given("a", "b");
        await FailsAsync(
            sockets,
            kestrel =>
            {
                kestrel.Listen(IPAddress.Loopback, 0);
                kestrel.Listen(sockets[0].Socket.LocalEndPoint!);
            },
            "has the address of an endpoint but serves another one that came before");
    }

    [Fact]
    public async Task The_sockets_still_listen_when_the_server_has_left_by_force()
    {
        var sockets = Given("a", "b");
        var app = await StartAsync(sockets, kestrel => kestrel.Listen(IPAddress.Loopback, 0, As("one")));
        Assert.Equal(["one", "one"], await AskAllAsync(sockets));
        app.Services.GetRequiredService<IGraceful>().CloseNow();
        await app.StopAsync().Soon();
        await app.DisposeAsync();
        foreach (var socket in sockets)
        {
            using var client = await RawClient.ConnectAsync(socket.Socket.LocalEndPoint!);
            using var accepted = await socket.Socket.AcceptAsync().Soon();
            Assert.False(((LingerOption)accepted.GetSocketOption(SocketOptionLevel.Socket, SocketOptionName.Linger)!).Enabled);
        }
    }

    [Fact]
    public async Task A_GracefulServer_serves_them_too_turn_after_turn()
    {
        var sockets = Given("a", "b");
        await using var server = new GracefulServer("127.0.0.1:0", Servers.Serving.Ok).Configure(options => options.Activation = new SocketActivation(sockets));
        for (var turn = 0; turn < 3; turn++)
        {
            var serving = await Servers.Serving.StartAsync(server);
            Assert.Equal(["ok", "ok"], await AskAllAsync(sockets));
            Assert.Equal(0, (await serving.CloseAsync()).ExitCode);
        }
    }

    private static Action<ListenOptions> As(string name) => endpoint => endpoint.Use(next => connection =>
    {
        connection.Items["name"] = name;
        return next(connection);
    });

    private static IConfiguration Configuration(params (string Name, string Value)[] endpoints) => new ConfigurationBuilder()
        .AddInMemoryCollection(endpoints.Select(endpoint => KeyValuePair.Create($"Endpoints:{endpoint.Name}{(endpoint.Name.Contains(':', StringComparison.Ordinal) ? "" : ":Url")}", (string?)endpoint.Value)))
        .Build();

    private static async Task<WebApplication> StartAsync(
        IReadOnlyList<ActivatedSocket> sockets, Action<KestrelServerOptions> kestrel, Action<WebApplicationBuilder>? build = null)
    {
        var builder = WebApplication.CreateSlimBuilder();
        var log = new LogBook();
        builder.Services.AddSingleton(log);
        builder.Logging.ClearProviders().AddProvider(log);
        builder.WebHost.ConfigureKestrel(kestrel);
        build?.Invoke(builder);
        builder.AddGraceful(options => options.Activation = new SocketActivation(sockets));
        var app = builder.Build();
        app.Run(context => context.Response.WriteAsync(
            context.Features.Get<Microsoft.AspNetCore.Connections.Features.IConnectionItemsFeature>()!.Items.TryGetValue("name", out var name) ? $"{name}" : ""));
        try
        {
            await app.StartAsync().Soon("The start");
            return app;
        }
        catch
        {
            await app.DisposeAsync();
            throw;
        }
    }

    private static async Task FailsAsync(IReadOnlyList<ActivatedSocket> sockets, Action<KestrelServerOptions> kestrel, string why)
    {
        var e = await Assert.ThrowsAsync<IOException>(() => StartAsync(sockets, kestrel));
        Assert.Contains(why, e.Message, StringComparison.Ordinal);
        Assert.Contains("allowed are", e.Message, StringComparison.Ordinal);
    }

    private static async Task<List<string>> AskAllAsync(IEnumerable<ActivatedSocket> sockets)
    {
        var answers = new List<string>();
        foreach (var socket in sockets)
        {
            answers.Add(await AskAsync(socket.Socket.LocalEndPoint!));
        }

        return answers;
    }

    private static async Task<string> AskAsync(EndPoint address)
    {
        using var client = await RawClient.ConnectAsync(address);
        return (await client.GetAsync("/")).Text;
    }

    private List<ActivatedSocket> Given(params string[] names) => [.. names.Select(name =>
    {
        var socket = Servers.Sockets.Listening();
        _sockets.Add(socket);
        return new ActivatedSocket(name, (int)socket.Handle, socket);
    })];
}
