using System.Net;
using System.Net.Sockets;
using Graceful.Kestrel;
using Graceful.Tests.Inside;
using Graceful.Tests.Servers;
using Graceful.Tests.Support;

namespace Graceful.Tests.Idle;

/// <summary>Clients that come at the moment when a server finds that nobody needs it.</summary>
public sealed class AtTheEdge
{
    private static readonly TimeSpan QuietPeriod = TimeSpan.FromMilliseconds(400);

    [Fact]
    public async Task Who_waits_in_the_queue_when_accepting_is_paused_calls_the_server_back_and_is_served()
    {
        await using var server = await Idling.StartAsync();
        var (gap, pausing) = (new PlainIntake(), new TaskCompletionSource());
        gap.Pausing = pausing.Task;
        var listener = Assert.IsType<TrackedListener>(Assert.Single(server.App.Engine.Intakes.All()));
        server.App.Engine.Intakes.TryAdd(gap);
        var pass = server.PassAsync(Idling.Limit);
        await Limits.Until(() => !listener.IsAnybodyWaiting, "the listener is paused");
        using var client = await RawClient.ConnectAsync(server.App.Port);
        await client.SendGetAsync("/");
        await Limits.Until(() => listener.IsAnybodyWaiting, "he waits");
        Assert.Equal(0, server.App.Engine.Table.Count);
        pausing.SetResult();
        await pass;
        server.MustLookAgainIn(Idling.Limit);
        Assert.False((await client.ReadAsync()).IsTold);
        await server.Until(ConnectionPhase.Idle);
        gap.Pausing = Task.CompletedTask;
        await server.PassAsync(Idling.Limit);
        await server.MustLeaveAsync();
    }

    [Fact]
    public async Task Who_comes_after_the_second_look_and_while_the_first_hooks_run_is_served_on_the_last_call()
    {
        var door = new Door();
        await using var server = await Idling.StartAsync(options =>
        {
            options.OnStopping("hook", TimeSpan.FromMinutes(1), (_, _) => door.PassAsync());
            options.Intake = IntakeMethod.LastCall;
        });
        await server.PassAsync(Idling.Limit);
        await door.Reached();
        using var client = await RawClient.ConnectAsync(server.App.Port);
        await client.SendGetAsync("/");
        await Quiet.LessAsync();
        Assert.False(client.HasNews);
        door.Open();
        Assert.Equal(200, (await client.ReadAsync()).Status);
        var report = await server.MustLeaveAsync();
        Assert.Contains("1 accepted in the last call", Assert.Single(report.Listeners), StringComparison.Ordinal);
    }

    /// <summary>The socket stays when the server goes, as a service manager's does: nobody is lost, and nobody refused.</summary>
    [Fact]
    public async Task On_a_socket_that_stays_nobody_is_lost_however_often_the_server_leaves()
    {
        using var socket = Servers.Sockets.Listening();
        using var enough = new CancellationTokenSource();
        await using var server = new GracefulServer { Handler = Servers.Serving.Ok }.Configure(Soon);
        var clients = Enumerable.Range(0, 4).Select(seed => Task.Run(() => new EdgeClient(socket.Port(), seed).AskUntilAsync(enough.Token))).ToList();
        var all = Task.WhenAll(clients);
        for (var turn = 1; turn < 15 || !all.IsCompleted; turn++)
        {
            var report = await server.ServeAsync(socket, keep: _ => true).Soon("The idle exit");
            Assert.Equal((StopCause.Idle, 0), (report.Reason.Cause, report.ExitCode));
            if (turn == 15)
            {
                // Who waits now is served in the turns that follow.
                await enough.CancelAsync();
            }
        }

        var asked = await all;
        Assert.True(asked.All(client => client.Lost + client.Refused == 0), string.Join(", ", asked.AsEnumerable()));
        Assert.True(asked.All(client => client.Answered > 5), string.Join(", ", asked.AsEnumerable()));
    }

    [Fact]
    public async Task On_a_socket_that_goes_nobody_is_lost_who_was_connected()
    {
        for (var round = 0; round < 4; round++)
        {
            await using var app = await TestApp.StartAsync(Soon);
            var clients = Enumerable.Range(0, 4).Select(seed => Task.Run(() => new EdgeClient(app.Port, seed + round).AskUntilAsync(CancellationToken.None))).ToList();
            var report = await app.ReportAsync();
            var asked = await Task.WhenAll(clients).Soon("The end of the clients");
            Assert.Equal((StopCause.Idle, 0), (report.Reason.Cause, report.ExitCode));
            Assert.True(asked.All(client => client.Lost == 0), string.Join(", ", asked.AsEnumerable()));
        }
    }

    private static void Soon(GracefulOptions options)
    {
        options.IdleLimit = TimeSpan.FromMilliseconds(30);
        options.QuietPeriod = QuietPeriod;
        options.Intake = IntakeMethod.Unplug;
    }

    /// <summary>Comes about when the limit is over, on a new connection or on one that it kept.</summary>
    private sealed record EdgeClient(int Port, int Seed)
    {
        public int Answered { get; private set; }

        public int Lost { get; private set; }

        public int Refused { get; private set; }

        /// <summary>Until it is told to end, or refused.</summary>
        public async Task<EdgeClient> AskUntilAsync(CancellationToken end)
        {
            var random = new Random(Seed);
            Socket? kept = null;
            while (!end.IsCancellationRequested && Refused == 0)
            {
                var edge = 28 + (random.NextDouble() * 6);
                await Task.Delay(TimeSpan.FromMilliseconds(edge * (1 + random.Next(4))), CancellationToken.None);
                var looked = Environment.TickCount64;
                var wasKept = IsOpen(kept);
                var socket = wasKept ? kept : await ConnectAsync();
                kept = null;
                if (socket is null)
                {
                    Refused++;
                }
                else if (await AskAsync(socket, wasKept ? looked : null) && random.Next(2) == 0)
                {
                    kept = socket;
                }
                else
                {
                    socket.Dispose();
                }
            }

            kept?.Dispose();
            return this;
        }

        private static bool IsOpen(Socket? socket) => socket is not null && !socket.Poll(TimeSpan.Zero, SelectMode.SelectRead);

        private async Task<Socket?> ConnectAsync()
        {
            var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
            try
            {
                await socket.ConnectAsync(new IPEndPoint(IPAddress.Loopback, Port));
                return socket;
            }
            catch (SocketException)
            {
                socket.Dispose();
                return null;
            }
        }

        /// <param name="socket">Where to ask.</param>
        /// <param name="looked">When it was seen to be open, where it was kept: whoever takes longer than the quiet period to send was promised nothing.</param>
        private async Task<bool> AskAsync(Socket socket, long? looked)
        {
            var isPromised = true;
            try
            {
                var answer = new byte[4096];
                await socket.SendAsync("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"u8.ToArray());
                isPromised = looked is null || Environment.TickCount64 - looked < QuietPeriod.TotalMilliseconds / 2;
                var got = await socket.ReceiveAsync(answer).Soon("An answer");
                if (got == 0)
                {
                    Lost += isPromised ? 1 : 0;
                    return false;
                }

                Answered++;
                return !System.Text.Encoding.ASCII.GetString(answer, 0, got).Contains("Connection: close", StringComparison.OrdinalIgnoreCase);
            }
            catch (SocketException)
            {
                Lost += isPromised ? 1 : 0;
                return false;
            }
        }
    }
}
