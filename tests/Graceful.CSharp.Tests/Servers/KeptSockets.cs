using System.Net;
using System.Net.Sockets;
using Graceful.Tests.Support;
using Microsoft.AspNetCore.Http;

namespace Graceful.Tests.Servers;

/// <summary>A listening socket of the user's: it is served from, turn after turn, and refuses nobody in between.</summary>
public sealed class KeptSockets
{
    [Fact]
    public async Task Who_comes_between_two_turns_is_served_in_the_next()
    {
        using var listener = Sockets.Listening();
        await using var server = new GracefulServer { Handler = Serving.Ok };
        RawClient? waiting = null;
        for (var turn = 0; turn < 5; turn++)
        {
            var serving = await Serving.StartAsync(server, listener);
            Assert.Equal($"http://127.0.0.1:{listener.Port()}", Assert.Single(server.Addresses));
            if (waiting is not null)
            {
                Assert.Equal(200, (await waiting.ReadAsync()).Status);
                waiting.Dispose();
            }

            using var client = await RawClient.IdleAsync(listener.Port());
            var report = await serving.CloseAsync();
            Assert.Equal(Ending.Fin, await client.EndAsync());
            Assert.Equal(0, report.ExitCode);
            Assert.StartsWith($"127.0.0.1:{listener.Port()}: accepting stopped", Assert.Single(report.Listeners), StringComparison.Ordinal);
            waiting = await RawClient.ConnectAsync(listener.Port());
            await waiting.SendGetAsync("/");
        }

        using var accepted = await listener.AcceptAsync().Soon();
        Assert.False(((LingerOption)accepted.GetSocketOption(SocketOptionLevel.Socket, SocketOptionName.Linger)!).Enabled);
        waiting!.Dispose();
    }

    [Fact]
    public async Task A_successor_on_the_same_socket_takes_over_while_clients_come_and_none_is_lost()
    {
        using var listener = Sockets.Listening();
        await using var first = await Serving.StartAsync(new GracefulServer { Handler = context => context.Response.WriteAsync("first") }, listener);
        using var enough = new CancellationTokenSource();
        var seconds = 0;
        var clients = Enumerable.Range(0, 8).Select(_ => AskAsync()).ToList();
        await using var second = await Serving.StartAsync(new GracefulServer { Handler = context =>
        {
            Interlocked.Increment(ref seconds);
            return context.Response.WriteAsync("second");
        } }, listener);
        Assert.Equal(0, (await first.CloseAsync()).ExitCode);
        await Limits.Until(() => Volatile.Read(ref seconds) > 50, "the successor answers");
        await enough.CancelAsync();
        var answers = (await Task.WhenAll(clients).Soon()).SelectMany(answer => answer).ToList();
        Assert.Contains("first", answers);
        Assert.Contains("second", answers);

        async Task<List<string>> AskAsync()
        {
            var answers = new List<string>();
            while (!enough.IsCancellationRequested)
            {
                using var client = await RawClient.ConnectAsync(listener.Port());
                var response = await client.GetAsync("/");
                Assert.Equal(200, response.Status);
                answers.Add(System.Text.Encoding.ASCII.GetString(response.Body));
            }

            return answers;
        }
    }

    [Fact]
    public async Task Not_kept_it_is_closed_when_who_waited_in_its_queue_is_served()
    {
        var listener = Sockets.Listening();
        var port = listener.Port();
        var server = new GracefulServer { Handler = Serving.Ok };
        await using var serving = await Serving.StartAsync(server, server.ServeAsync(listener, reason => reason.Who == "a turn"));
        Assert.True(server.Close("a turn"));
        await serving.Report.Soon();
        using var waiting = await RawClient.ConnectAsync(port);
        await waiting.SendGetAsync("/");
        var last = server.ServeAsync(listener);
        Assert.True(server.Close("the end"));
        Assert.Equal(200, (await waiting.ReadAsync()).Status);
        var report = await last.Soon();
        Assert.Contains("last call", Assert.Single(report.Listeners), StringComparison.Ordinal);
        Assert.True(listener.SafeHandle.IsClosed);
        await Assert.ThrowsAnyAsync<SocketException>(() => RawClient.ConnectAsync(port));
        Assert.Throws<ObjectDisposedException>(() => { _ = server.ServeAsync(listener); });
    }

    [Fact]
    public async Task Newcomers_are_kept_out_of_it_when_the_user_says_so()
    {
        var listener = Sockets.Listening();
        var server = new GracefulServer { Handler = Serving.Ok }.Configure(options => options.Intake = IntakeMethod.Unplug);
        await using var serving = await Serving.StartAsync(server, server.ServeAsync(listener));
        Assert.Contains("unplugged", Assert.Single((await serving.CloseAsync()).Listeners), StringComparison.Ordinal);
        Assert.True(listener.SafeHandle.IsClosed);
    }

    [Fact]
    public async Task A_question_that_fails_leaves_it_open()
    {
        using var listener = Sockets.Listening();
        var server = new GracefulServer { Handler = Serving.Ok };
        await using var serving = await Serving.StartAsync(server, server.ServeAsync(listener, _ => throw new InvalidOperationException("as planned")));
        Assert.Equal(0, (await serving.CloseAsync()).ExitCode);
        using var waiting = await RawClient.ConnectAsync(listener.Port());
    }

    [Fact]
    public async Task A_question_that_hangs_is_given_up_when_time_runs_out()
    {
        using var listener = Sockets.Listening();
        using var answer = new ManualResetEventSlim();
        using var answered = new ManualResetEventSlim();
        var server = new GracefulServer { Handler = Serving.Ok }.Configure(options => options.GracePeriod = TimeSpan.FromMilliseconds(200));
        await using var serving = await Serving.StartAsync(server, server.ServeAsync(listener, _ =>
        {
            answer.Wait(2 * Limits.Hang);
            answered.Set();
            return false;
        }));
        try
        {
            var report = await serving.CloseAsync();
            Assert.Equal((2, StopCause.Requested), (report.ExitCode, report.Reason.Cause));
        }
        finally
        {
            answer.Set();
        }

        // An answer that comes too late is none.
        Assert.True(answered.Wait(Limits.Hang));
        await using var again = await Serving.StartAsync(new GracefulServer { Handler = Serving.Ok }, listener);
        using var client = await RawClient.IdleAsync(listener.Port());
    }

    [Fact]
    public async Task A_Unix_socket_keeps_its_file()
    {
        var folder = Directory.CreateTempSubdirectory("graceful");
        try
        {
            var path = Path.Combine(folder.FullName, "socket");
            using var listener = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
            listener.Bind(new UnixDomainSocketEndPoint(path));
            listener.Listen(16);
            await using var server = new GracefulServer { Handler = Serving.Ok };
            for (var turn = 0; turn < 2; turn++)
            {
                var serving = await Serving.StartAsync(server, listener);
                Assert.Equal($"http://unix:{path}", Assert.Single(server.Addresses));
                using var client = await RawClient.ConnectAsync(new UnixDomainSocketEndPoint(path));
                Assert.Equal(200, (await client.GetAsync("/")).Status);
                await serving.CloseAsync();
                Assert.True(File.Exists(path));
            }
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    [Fact]
    public async Task The_static_one_and_TLS()
    {
        using var listener = Sockets.Listening();
        await using var serving = await Serving.StartAsync(
            new GracefulServer { Handler = Serving.Ok, Tls = tls => tls.ServerCertificate = Certificate.ForTests }, listener);
        Assert.StartsWith("https://", Assert.Single(serving.Server.Addresses), StringComparison.Ordinal);
        using var client = await (await RawClient.ConnectAsync(listener.Port())).WithTlsAsync();
        Assert.Equal(200, (await client.GetAsync("/")).Status);
        Assert.Throws<ArgumentNullException>(() => { _ = GracefulServer.ServeAsync(listener, null!); });
    }

    [Fact]
    public async Task A_socket_that_is_closed_meanwhile_ends_it_with_code_1()
    {
        var listener = Sockets.Listening();
        await using var serving = await Serving.StartAsync(new GracefulServer { Handler = Serving.Ok }, listener);
        using var client = await RawClient.IdleAsync(listener.Port());
        var name = $"the listening socket 127.0.0.1:{listener.Port()}";
        listener.Dispose();
        var report = await serving.Report.Soon();
        Assert.Equal((1, StopCause.ComponentFailed, name), (report.ExitCode, report.Reason.Cause, report.Reason.Who));
        Assert.Equal(Ending.Fin, await client.EndAsync());
    }

    [Fact]
    public async Task One_that_can_not_be_accepted_from_is_refused_at_once()
    {
        var server = new GracefulServer { Handler = Serving.Ok };
        using var fresh = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        Refused(fresh, "The socket is not bound");
        fresh.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        Refused(fresh, "The socket does not listen");
        using var datagrams = new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
        datagrams.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        Refused(datagrams, "The socket is one of type Dgram");
        using var listener = Sockets.Listening();
        using var client = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        await client.ConnectAsync(listener.LocalEndPoint!);
        Refused(client, "The socket does not listen");
        Assert.Throws<ArgumentNullException>(() => { _ = server.ServeAsync((Socket)null!); });
        Assert.Throws<InvalidOperationException>(() => { _ = new GracefulServer().ServeAsync(listener); });
        listener.Dispose();
        Assert.Throws<ObjectDisposedException>(() => { _ = server.ServeAsync(listener); });

        void Refused(Socket socket, string why)
        {
            var e = Assert.Throws<ArgumentException>(() => { _ = server.ServeAsync(socket); });
            Assert.StartsWith(why, e.Message, StringComparison.Ordinal);
            Assert.Contains("allowed is a stream socket, TCP or Unix, after its Bind and its Listen", e.Message, StringComparison.Ordinal);
        }
    }
}
