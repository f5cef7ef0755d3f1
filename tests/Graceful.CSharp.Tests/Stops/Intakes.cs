using System.Net;
using System.Net.Sockets;
using Graceful.Tests.Support;

namespace Graceful.Tests.Stops;

[CollectionDefinition(nameof(Intakes), DisableParallelization = true)]
public sealed class Alone;

/// <summary>A burst of clients that connect, ask once and go, across the stop. Alone, so that the burst is one.</summary>
[Collection(nameof(Intakes))]
public sealed class Intakes
{
    private const int Clients = 16;

    [Theory]
    [InlineData(IntakeMethod.SynFilter)]
    [InlineData(IntakeMethod.Unplug)]
    public async Task No_connection_that_was_completed_is_lost(IntakeMethod method)
    {
        var (served, lost, report) = await BurstAsync(method);
        Assert.True(served > 100, $"Only {served} were served.");
        if (method != IntakeMethod.SynFilter || Privilege.ToFilter)
        {
            // Where the filter is refused, the last call is all that is left of it.
            Assert.Equal(0, lost);
        }

        Assert.Equal(0, report.ExitCode);
    }

    [Fact]
    public async Task The_last_call_may_lose_some_and_ends()
    {
        var (served, _, report) = await BurstAsync(IntakeMethod.LastCall);
        Assert.True(served > 100, $"Only {served} were served.");
        Assert.Equal(0, report.ExitCode);
        Assert.InRange(report.Duration.TotalSeconds, 0, 10);
    }

    private static async Task<(int Served, int Lost, ShutdownReport Report)> BurstAsync(IntakeMethod method)
    {
        await using var app = await TestApp.StartAsync(options => options.Intake = method);
        var port = app.Port;
        var served = 0;
        var lost = 0;
        var clients = Enumerable.Range(0, Clients).Select(_ => Task.Factory.StartNew(Client, TaskCreationOptions.LongRunning)).ToList();
        await Limits.Until(() => Volatile.Read(ref served) > 500, "the burst is on");
        var report = await app.LeaveAsync();
        await Task.WhenAll(clients).Soon("The end of the burst");
        return (served, lost, report);

        void Client()
        {
            var answer = new byte[4096];
            while (true)
            {
                using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { ReceiveTimeout = 15_000, NoDelay = true };
                try
                {
                    socket.Connect(new IPEndPoint(IPAddress.Loopback, port));
                }
                catch (SocketException)
                {
                    return;
                }

                try
                {
                    socket.Send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"u8);
                    Interlocked.Increment(ref socket.Receive(answer) > 0 ? ref served : ref lost);
                }
                catch (SocketException)
                {
                    Interlocked.Increment(ref lost);
                }
            }
        }
    }
}
