using System.Diagnostics;
using System.Globalization;
using System.Net.Sockets;
using Graceful.Tests.Support;

namespace Graceful.Tests.RawSockets;

/// <summary>Who comes out of a listener, and what becomes of those who wait when it closes.</summary>
public sealed class Accepts
{
    [Fact]
    public async Task Several_callers_at_once_each_get_another_connection()
    {
        await using var rig = new Rig(ConnectionMode.Manual);
        var accepting = Enumerable.Range(0, 8).Select(_ => rig.AcceptAsync()).ToList();
        for (var i = 0; i < accepting.Count; i++)
        {
            await rig.ConnectAsync();
        }

        var accepted = await Task.WhenAll(accepting).Soon("The accepts");
        Assert.Equal(8, accepted.Select(one => one.RemoteEndPoint).Distinct().Count());
        Assert.Equal(8, accepted.Select(one => one.Id).Distinct().Count());
        Assert.Equal(8, rig.Listener.Connections[ConnectionPhase.New]);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Pending_accepts_end_when_the_listener_closes(bool paused)
    {
        await using var rig = new Rig(ConnectionMode.Manual);
        var accepting = Enumerable.Range(0, 8).Select(_ => rig.Listener.AcceptAsync().AsTask()).ToList();
        if (paused)
        {
            await rig.Listener.Intake.PauseAsync().Soon("The pause");
        }

        rig.Listener.Close();
        Assert.All(await Task.WhenAll(accepting).Soon("The accepts"), Assert.Null);
    }

    [Theory]
    [InlineData(false, false)]
    [InlineData(true, false)]
    [InlineData(false, true)]
    public async Task Whoever_is_in_the_queue_when_the_server_leaves_and_nobody_accepts_is_kept_and_served(bool overUnix, bool paused)
    {
        await using var rig = new Rig(ConnectionMode.Automatic, overUnix: overUnix);
        if (paused)
        {
            await rig.Listener.Intake.PauseAsync().Soon("The pause");
        }

        var clients = new List<Socket>();
        for (var i = 0; i < 20; i++)
        {
            var client = await rig.ConnectAsync();
            await client.SayAsync("ask");
            clients.Add(client);
        }

        var leaving = rig.LeaveAsync();
        await Limits.Until(() => rig.Listener.Connections[ConnectionPhase.New] == 20, "they were taken from the queue");
        for (var i = 0; i < 20; i++)
        {
            await using var server = await rig.AcceptAsync();
            Assert.Equal("ask", await server.HearAsync());
            await server.SayAsync("answer");
        }

        Assert.Null(await rig.Listener.AcceptAsync().AsTask().Soon("The end"));
        var report = await leaving;
        Assert.Equal(0, report.ExitCode);
        Assert.Contains(", 20 accepted in the last call", Assert.Single(report.Listeners), StringComparison.Ordinal);
        foreach (var client in clients)
        {
            Assert.Equal("answer", await client.HearAsync());
            await client.EndsAsync();
        }

        await Assert.ThrowsAnyAsync<SocketException>(rig.ConnectAsync);
    }

    [Fact]
    public async Task Nobody_is_lost_between_accepts_and_their_end()
    {
        for (var round = 0; round < 20; round++)
        {
            await using var rig = new Rig(ConnectionMode.Automatic);
            var serving = Enumerable.Range(0, 3).Select(_ => ServeAsync(rig)).ToList();
            var clients = Enumerable.Range(0, 20).Select(async number =>
            {
                Socket client;
                try
                {
                    client = await rig.ConnectAsync();
                }
                catch (SocketException)
                {
                    // It came too late, and was refused.
                    return;
                }

                await client.SayAsync("ask");
                Assert.Equal("answer", await client.HearAsync());
            }).ToList();
            rig.Listener.Close();
            await Task.WhenAll(clients).Soon("The clients");
            await Task.WhenAll(serving).Soon("The server");
        }

        static async Task ServeAsync(Rig rig)
        {
            while (await rig.Listener.AcceptAsync() is { } server)
            {
                Assert.Equal("ask", await server.HearAsync());
                await server.SayAsync("answer");
            }
        }
    }

    [Fact]
    public async Task A_token_gives_up_waiting_and_nobody_is_lost_by_that()
    {
        await using var rig = new Rig(ConnectionMode.Manual);
        using var enough = new CancellationTokenSource();
        var accepting = rig.Listener.AcceptAsync(enough.Token).AsTask();
        await enough.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => accepting.Soon());
        await rig.ConnectAsync();
        Assert.NotNull(await rig.AcceptAsync());
    }

    [Fact]
    public async Task Paused_it_accepts_nobody_sees_who_waits_and_goes_on_where_it_was()
    {
        await using var rig = new Rig(ConnectionMode.Manual);
        var intake = rig.Listener.Intake;
        intake.Resume();
        var accepting = rig.AcceptAsync();
        await intake.PauseAsync().Soon("The pause");
        Assert.False(intake.IsAnybodyWaiting);
        await rig.ConnectAsync();
        await Limits.Until(() => intake.IsAnybodyWaiting, "somebody waits");
        await intake.PauseAsync().Soon("The second pause");
        Assert.False(accepting.IsCompleted);
        intake.Resume();
        Assert.NotNull(await accepting);
        Assert.False(intake.IsAnybodyWaiting);
        await rig.Listener.CloseAsync().Soon("The close");
        await intake.PauseAsync().Soon("A pause of what is closed");
        Assert.False(intake.IsAnybodyWaiting);
    }

    [Fact]
    public async Task Whoever_was_accepted_when_a_pause_is_complete_is_in_the_table()
    {
        await using var rig = new Rig(ConnectionMode.Manual);
        var accepted = 0;
        var serving = Enumerable.Range(0, 3).Select(async _ =>
        {
            while (await rig.Listener.AcceptAsync() is not null)
            {
                Interlocked.Increment(ref accepted);
            }
        }).ToList();
        for (var round = 0; round < 100; round++)
        {
            var connecting = rig.ConnectAsync();
            await rig.Listener.Intake.PauseAsync().Soon("The pause");
            await connecting;

            // Either it is inside, or it waits: nobody is in between.
            var inside = rig.Listener.Connections.Values.Sum();
            Assert.Equal(round + 1, inside + (rig.Listener.Intake.IsAnybodyWaiting ? 1 : 0));
            rig.Listener.Intake.Resume();
            await Limits.Until(() => Volatile.Read(ref accepted) == round + 1, "it was accepted");
        }

        await rig.Listener.CloseAsync().Soon("The close");
        await Task.WhenAll(serving).Soon("The end of the accepts");
    }

    [Fact]
    public async Task From_a_shared_socket_nothing_is_taken_and_it_stays_open()
    {
        await using var rig = new Rig(ConnectionMode.Manual, options: new GracefulListenerOptions { IsShared = true });
        var accepting = rig.Listener.AcceptAsync().AsTask();
        await rig.ConnectAsync();
        Assert.NotNull(await accepting.Soon("The accept"));
        accepting = rig.Listener.AcceptAsync().AsTask();
        await rig.Listener.CloseAsync().Soon("The close");
        Assert.Null(await accepting.Soon("The end"));
        var next = await rig.ConnectAsync();
        Assert.Null(await rig.Listener.AcceptAsync().AsTask().Soon("The end"));
        var report = await rig.LeaveAsync();
        Assert.Contains("accepting stopped, 0 accepted", Assert.Single(report.Listeners), StringComparison.Ordinal);
        using var successors = await rig.Socket.AcceptAsync().Soon("The successor's accept");
        Assert.Equal(next.LocalEndPoint, successors.RemoteEndPoint);
        rig.Socket.Dispose();
    }

    [Fact]
    public async Task A_clone_goes_on_where_the_listener_ended()
    {
        await using var rig = new Rig(ConnectionMode.Manual);
        using var clone = rig.Listener.Clone();
        Assert.True(rig.Listener.IsShared);
        await rig.Listener.CloseAsync().Soon("The close");
        rig.Socket.Dispose();
        await using var successor = new GracefulListener(clone, ConnectionMode.Manual);
        await rig.ConnectAsync();
        Assert.NotNull(await successor.AcceptAsync().AsTask().Soon("The successor's accept"));
    }

    [Fact]
    public async Task A_handle_goes_to_children_and_a_clone_does_not()
    {
        await using var rig = new Rig(ConnectionMode.Manual);
        using var clone = rig.Listener.Clone();
        using var handle = rig.Listener.GetHandle();
        Assert.StartsWith("socket:", await SeenByAChildAsync((int)handle.DangerousGetHandle()), StringComparison.Ordinal);
        Assert.Equal("", await SeenByAChildAsync((int)clone.Handle));
        rig.Listener.IsShared = false;
        await rig.Listener.CloseAsync().Soon("The close");
        Assert.Throws<ObjectDisposedException>(rig.Listener.Clone);

        static async Task<string> SeenByAChildAsync(int descriptor)
        {
            using var child = Process.Start(new ProcessStartInfo("readlink", [string.Create(CultureInfo.InvariantCulture, $"/proc/self/fd/{descriptor}")])
            {
                RedirectStandardOutput = true,
            })!;
            var seen = await child.StandardOutput.ReadToEndAsync().Soon("The child");
            await child.WaitForExitAsync().Soon("The child's end");
            return seen;
        }
    }

    [Fact]
    public async Task A_client_that_went_while_it_waited_is_no_end_of_the_accepts()
    {
        await using var rig = new Rig(ConnectionMode.Automatic);
        for (var i = 0; i < 3; i++)
        {
            var gone = await rig.ConnectAsync();
            gone.LingerState = new LingerOption(enable: true, seconds: 0);
            gone.Dispose();
        }

        var client = await rig.ConnectAsync();
        await client.SayAsync("here");
        while (true)
        {
            await using var server = await rig.AcceptAsync();
            if (server.RemoteEndPoint!.Equals(client.LocalEndPoint))
            {
                Assert.Equal("here", await server.HearAsync());
                return;
            }
        }
    }

    [Fact]
    public async Task A_socket_that_somebody_closes_is_a_component_that_failed()
    {
        await using var rig = new Rig(ConnectionMode.Manual);
        var accepting = rig.Listener.AcceptAsync().AsTask();
        rig.Socket.Dispose();
        Assert.Null(await accepting.Soon("The end"));
        var report = await rig.Engine.Exited.Soon("The end of the way out");
        Assert.Equal(ShutdownOutcome.Failed, report.Outcome);
        Assert.Contains(report.Troubles, trouble => trouble.StartsWith("the listening socket 127.0.0.1:", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Disposed_it_accepts_nobody_and_its_connections_go_on()
    {
        await using var rig = new Rig(ConnectionMode.Manual);
        var (server, client) = await rig.PairAsync();
        var accepting = rig.Listener.AcceptAsync().AsTask();
        await rig.Listener.DisposeAsync();
        rig.Listener.Dispose();
        Assert.Null(await accepting.Soon("The end"));
        await client.SayAsync("on");
        Assert.Equal("on", await server.HearAsync());
    }
}
