using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using Graceful.Tests.Support;

namespace Graceful.Tests.RawSockets;

/// <summary>One connection that somebody else accepted, as a listener with one connection.</summary>
public sealed class OneAccepted
{
    [Theory]
    [InlineData("the server disposes it")]
    [InlineData("the client goes")]
    [InlineData("it is shed")]
    [InlineData("the client resets it")]
    public async Task The_first_accept_gives_it_the_second_waits_for_its_end_and_the_server_leaves_by_itself(string end)
    {
        await using var rig = new Rig(ConnectionMode.Manual);
        var (client, accepted) = await PairAsync();
        using var ours = client;
        await using var listener = new GracefulListener(accepted, ConnectionMode.Automatic, rig.Graceful);
        Assert.Equal(client.RemoteEndPoint, listener.LocalEndPoint);
        Assert.Equal(1, listener.Connections[ConnectionPhase.New]);
        var server = (await listener.AcceptAsync().AsTask().Soon("The first accept"))!;
        var second = listener.AcceptAsync().AsTask();
        await client.SayAsync("ask");
        Assert.Equal("ask", await server.HearAsync());
        Assert.Equal(ConnectionPhase.Active, server.Phase);
        await server.SayAsync("answer");
        Assert.Equal("answer", await client.HearAsync());
        server.MarkIdle();
        Assert.False(second.IsCompleted);
        Assert.False(rig.Graceful.IsStopping);
        switch (end)
        {
            case "the client goes":
                client.Shutdown(SocketShutdown.Send);
                Assert.Equal("", await server.HearAsync());
                break;
            case "it is shed":
                Assert.Equal(1, listener.CloseIdle());
                break;
            case "the client resets it":
                client.LingerState = new LingerOption(enable: true, seconds: 0);
                client.Dispose();
                await Assert.ThrowsAsync<IOException>(() => server.HearAsync());
                break;
        }

        await server.DisposeAsync();
        Assert.Null(await second.Soon("The second accept"));
        Assert.Null(await listener.AcceptAsync().AsTask().Soon("The third accept"));
        var report = await rig.Engine.Exited.Soon("The end of the way out");
        Assert.Equal((StopCause.ConnectionEnded, 0), (report.Reason.Cause, report.ExitCode));
    }

    [Fact]
    public async Task A_stop_finds_it_as_any_other_connection()
    {
        await using var rig = new Rig(ConnectionMode.Manual);
        var (client, accepted) = await PairAsync();
        using var ours = client;
        await using var listener = new GracefulListener(accepted, ConnectionMode.Automatic, rig.Graceful);
        var server = (await listener.AcceptAsync().AsTask().Soon("The accept"))!;
        await client.SayAsync("ask");
        Assert.Equal("ask", await server.HearAsync());
        var leaving = rig.LeaveAsync();
        Assert.Null(await listener.AcceptAsync().AsTask().Soon("The end of the accepts"));
        await Limits.Until(() => server.IsRetiring, "everybody retires");
        await server.SayAsync("answer");
        server.MarkIdle();
        var report = await leaving;
        Assert.Equal("answer", await client.HearAllAsync());
        Assert.Equal((StopCause.Requested, 0, 1), (report.Reason.Cause, report.ExitCode, (int)report.WorkFinished));
        Assert.Contains($"{listener.LocalEndPoint}: accepting stopped, 0 accepted in the last call", report.Listeners);
    }

    [Fact]
    public async Task Who_is_asked_for_after_the_stop_is_served_all_the_same()
    {
        await using var rig = new Rig(ConnectionMode.Manual);
        var (client, accepted) = await PairAsync();
        using var ours = client;
        await client.SayAsync("ask");
        await using var listener = new GracefulListener(accepted, ConnectionMode.Automatic, rig.Graceful);
        var leaving = rig.LeaveAsync();
        await Limits.Until(() => rig.Engine.Intakes.All().Length > 0 && rig.Graceful.IsStopping, "it leaves");
        var server = (await listener.AcceptAsync().AsTask().Soon("The accept"))!;
        Assert.Equal("ask", await server.HearAsync());
        await server.SayAsync("answer");
        await Limits.Until(() => server.IsRetiring, "everybody retires");
        server.MarkIdle();
        Assert.Equal(0, (await leaving).ExitCode);
        Assert.Equal("answer", await client.HearAllAsync());
    }

    [Fact]
    public async Task Without_keep_alive_it_is_closed_when_it_is_idle_for_the_first_time()
    {
        await using var rig = new Rig(ConnectionMode.Manual);
        var (client, accepted) = await PairAsync();
        using var ours = client;
        accepted.KeepAlive = false;
        await using var listener = new GracefulListener(accepted, ConnectionMode.Deadline, rig.Graceful);
        var server = (await listener.AcceptAsync().AsTask().Soon("The accept"))!;
        Assert.True(server.IsRetiring);

        // Nothing was asked yet.
        server.SetReadDeadline(TimeSpan.FromMinutes(1));
        Assert.Equal(ConnectionPhase.New, server.Phase);
        await client.SayAsync("ask");
        Assert.Equal("ask", await server.HearAsync());
        await server.SayAsync("answer");
        server.SetReadDeadline(TimeSpan.FromMinutes(1));
        Assert.Equal("answer", await client.HearAllAsync());
        var report = await rig.Engine.Exited.Soon("The end of the way out");
        Assert.Equal((StopCause.ConnectionEnded, 0), (report.Reason.Cause, report.ExitCode));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task With_TLS_it_comes_out_authenticated_and_a_handshake_that_fails_ends_the_server_in_order(bool succeeds)
    {
        await using var rig = new Rig(ConnectionMode.Manual);
        var (client, accepted) = await PairAsync();
        using var ours = client;
        var options = new GracefulListenerOptions { Tls = new SslServerAuthenticationOptions { ServerCertificate = Certificate.ForTests } };
        await using var listener = new GracefulListener(accepted, ConnectionMode.Automatic, rig.Graceful, options);
        var accepting = listener.AcceptAsync().AsTask();
        if (succeeds)
        {
            await using var stream = new SslStream(new NetworkStream(client), leaveInnerStreamOpen: false, Certificate.IsOurs);
            await stream.AuthenticateAsClientAsync("localhost").Soon("The handshake");
            var server = (await accepting.Soon("The accept"))!;
            Assert.True(server.Tls!.IsAuthenticated);
            await stream.SayAsync("ask");
            Assert.Equal("ask", await server.HearAsync());
            await server.DisposeAsync();
            Assert.Equal("", await stream.HearAsync());
        }
        else
        {
            await client.SayAsync("GET / HTTP/1.1\r\n\r\n");
            Assert.Null(await accepting.Soon("The accept"));
        }

        Assert.Null(await listener.AcceptAsync().AsTask().Soon("The last accept"));
        Assert.Equal(0, (await rig.Engine.Exited.Soon("The end of the way out")).ExitCode);
    }

    [Fact]
    public async Task Disowned_it_is_waited_for_by_nobody_but_the_server_stays_until_its_owner_closes_it()
    {
        await using var rig = new Rig(ConnectionMode.Manual);
        var (client, accepted) = await PairAsync();
        using var ours = client;
        await using var listener = new GracefulListener(accepted, ConnectionMode.Manual, rig.Graceful);
        var server = (await listener.AcceptAsync().AsTask().Soon("The accept"))!;
        var second = listener.AcceptAsync().AsTask();
        server.Disown();
        await client.SayAsync("still");
        Assert.Equal("still", await server.HearAsync());
        Assert.False(second.IsCompleted);
        Assert.False(rig.Graceful.IsStopping);
        await server.DisposeAsync();
        Assert.Null(await second.Soon("The second accept"));
        Assert.Equal(0, (await rig.Engine.Exited.Soon("The end of the way out")).ExitCode);
    }

    [Fact]
    public async Task Closed_it_gives_the_connection_and_no_more_and_disposed_it_resets_what_nobody_asked_for()
    {
        var (client, accepted) = await PairAsync();
        using var ours = client;
        await using (var listener = new GracefulListener(accepted, ConnectionMode.Manual))
        {
            await listener.CloseAsync().Soon("The close");
            await using var server = await listener.AcceptAsync().AsTask().Soon("The accept");
            Assert.Null(await listener.AcceptAsync().AsTask().Soon("The second accept"));
            Assert.Equal(1, listener.Connections[ConnectionPhase.New]);
        }

        await client.EndsAsync();
        var (other, unasked) = await PairAsync();
        using var theirs = other;
        await new GracefulListener(unasked, ConnectionMode.Manual).DisposeAsync();
        await other.IsResetAsync();
    }

    [Fact]
    public async Task A_token_gives_up_waiting_for_its_end()
    {
        var (client, accepted) = await PairAsync();
        using var ours = client;
        await using var listener = new GracefulListener(accepted, ConnectionMode.Manual);
        await using var server = await listener.AcceptAsync().AsTask().Soon("The accept");
        using var enough = new CancellationTokenSource();
        var second = listener.AcceptAsync(enough.Token).AsTask();
        await enough.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => second.Soon());
    }

    [Fact]
    public async Task What_needs_a_socket_that_listens_and_a_second_service_are_errors()
    {
        var (client, accepted) = await PairAsync();
        using var ours = client;
        var shared = new GracefulListenerOptions { IsShared = true };
        Assert.Contains("IsShared is true; allowed is false", Assert.Throws<ArgumentException>(
            () => new GracefulListener(accepted, ConnectionMode.Manual, options: shared)).Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentNullException>(() => new GracefulListener((AcceptedConnection)null!, ConnectionMode.Manual));
        await using var listener = new GracefulListener(accepted, ConnectionMode.Manual);
        foreach (var act in new Action[] { () => listener.Clone(), () => listener.GetHandle(), () => listener.IsShared = true })
        {
            Assert.Contains("one connection that was accepted before; allowed is", Assert.Throws<InvalidOperationException>(act).Message, StringComparison.Ordinal);
        }

        listener.IsShared = false;
        Assert.False(listener.IsShared);
        Assert.Contains("is served already; allowed is", Assert.Throws<InvalidOperationException>(
            () => new GracefulListener(accepted, ConnectionMode.Manual)).Message, StringComparison.Ordinal);
        await using var server = await listener.AcceptAsync().AsTask().Soon("The accept");
        Assert.NotNull(server);
    }

    private static async Task<(Socket Client, AcceptedConnection Accepted)> PairAsync()
    {
        using var listening = Servers.Sockets.Listening();
        var client = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        await client.ConnectAsync((IPEndPoint)listening.LocalEndPoint!).Soon("The connection");
        return (client, new AcceptedConnection(await listening.AcceptAsync().Soon("The accept")));
    }
}
