using System.Globalization;
using Graceful.Tests.Support;

namespace Graceful.Tests.Servers;

/// <summary>The kernel asks clients that have long been silent whether they are there; it says so itself, in its own table.</summary>
public sealed class SilentClients
{
    private const int TimerOfRetransmission = 1;
    private const int TimerOfKeepAlive = 2;

    [Fact]
    public async Task Each_accepted_connection_has_a_timer()
    {
        await using var serving = await Serving.StartAsync();
        using var client = await RawClient.IdleAsync(serving.Port);
        var (timer, seconds) = await TimerOfAsync(serving.Port);
        Assert.Equal(TimerOfKeepAlive, timer);
        Assert.InRange(seconds, 10, 15);
    }

    [Fact]
    public async Task Of_a_kept_socket_too_for_as_long_as_was_chosen()
    {
        using var listener = Sockets.Listening();
        await using var serving = await Serving.StartAsync(new GracefulServer { Handler = Serving.Ok, TcpKeepAlive = TimeSpan.FromMinutes(3) }, listener);
        using var client = await RawClient.IdleAsync(serving.Port);
        var (timer, seconds) = await TimerOfAsync(serving.Port);
        Assert.Equal(TimerOfKeepAlive, timer);
        Assert.InRange(seconds, 170, 180);
    }

    [Fact]
    public async Task Left_to_the_system_there_is_none()
    {
        await using var serving = await Serving.StartAsync(with: server => server.TcpKeepAlive = Timeout.InfiniteTimeSpan);
        using var client = await RawClient.IdleAsync(serving.Port);
        Assert.Equal(0, (await TimerOfAsync(serving.Port)).Timer);
    }

    private static async Task<(int Timer, double Seconds)> TimerOfAsync(int port)
    {
        await Limits.Until(() => TimerOf(port).Timer != TimerOfRetransmission, "nothing is on its way");
        return TimerOf(port);
    }

    /// <summary>The timer of the one connection that was accepted at a port, and when it goes off.</summary>
    private static (int Timer, double Seconds) TimerOf(int port)
    {
        const string Established = "01";
        var accepted = File.ReadLines("/proc/net/tcp").Skip(1).Select(text => text.Split(' ', StringSplitOptions.RemoveEmptyEntries)).Where(words =>
            words[1] == string.Create(CultureInfo.InvariantCulture, $"0100007F:{port:X4}") && words[3] == Established);
        // Read in pieces, while others come and go, the table may show one line twice.
        var line = Assert.Single(accepted.DistinctBy(words => words[2]));
        var when = line[5].Split(':');
        return (int.Parse(when[0], CultureInfo.InvariantCulture), long.Parse(when[1], NumberStyles.HexNumber, CultureInfo.InvariantCulture) / 100.0);
    }
}
