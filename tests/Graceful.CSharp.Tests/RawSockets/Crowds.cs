using System.Net.Sockets;
using Graceful.Tests.Support;

namespace Graceful.Tests.RawSockets;

/// <summary>Ten thousand connections in all phases leave, each exactly as its mode says.</summary>
public sealed class Crowds
{
    private const int Wanted = 10_000;

    /// <summary>What has happened on a connection when the drain begins.</summary>
    private enum Past
    {
        Nothing,
        Read,
        InUse,
        Idle,
        Deadline,
        Disowned,
    }

    [Theory]
    [InlineData(ConnectionMode.Manual)]
    [InlineData(ConnectionMode.Automatic)]
    [InlineData(ConnectionMode.Deadline)]
    public async Task A_drain_closes_waits_for_and_leaves_alone_whom_the_mode_says(ConnectionMode mode)
    {
        var count = Math.Min(Wanted, (ManyFiles.Raise((2 * Wanted) + 1000) - 1000) / 2);
        await using var rig = new Rig(mode);
        var all = new List<(Past Past, GracefulConnection Server, Socket Client)>();
        for (var i = 0; i < count; i++)
        {
            var (server, client) = await rig.PairAsync();
            var past = (Past)(i % Enum.GetValues<Past>().Length);
            await LiveAsync(past, server, client);
            all.Add((past, server, client));
        }

        bool IsHeld(Past past) => past == Past.InUse || (past == Past.Read && mode != ConnectionMode.Manual) || (past == Past.Deadline && mode == ConnectionMode.Automatic);
        var held = all.Where(one => IsHeld(one.Past)).ToList();
        var closed = all.Where(one => one.Past != Past.Disowned && !IsHeld(one.Past)).ToList();
        var disowned = all.Where(one => one.Past == Past.Disowned).ToList();
        Assert.Equal(held.Count, rig.Listener.Connections[ConnectionPhase.Active]);
        Assert.Equal(closed.Count + held.Count, rig.Listener.Connections.Values.Sum());

        var drain = rig.Listener.DrainAsync();
        await Limits.Until(() => rig.Listener.Connections.Values.Sum() == held.Count, "all but those in use have gone");
        foreach (var (_, server, client) in closed)
        {
            await client.EndsAsync();
            Assert.Equal(0, await server.ReadAsync(new byte[1]));
        }

        // Half of them say a last word, the others just go.
        Assert.All(held, one => Assert.True(one.Client.IsOpen() && one.Server.IsRetiring));
        for (var i = 0; i < held.Count; i++)
        {
            Assert.False(drain.IsCompleted);
            await held[i].Server.SayAsync("bye");
            if (i % 2 == 0)
            {
                held[i].Server.MarkIdle();
            }
            else
            {
                await held[i].Server.DisposeAsync();
            }
        }

        await drain.Soon("The drain");
        foreach (var (_, _, client) in held)
        {
            Assert.Equal("bye", await client.HearAsync());
            await client.EndsAsync();
        }

        foreach (var (_, server, client) in disowned)
        {
            await client.SayAsync("still there?");
            Assert.Equal("still there?", await server.HearAsync());
            await server.DisposeAsync();
            await client.EndsAsync();
        }
    }

    private static async Task LiveAsync(Past past, GracefulConnection server, Socket client)
    {
        if (past is Past.Nothing)
        {
            return;
        }

        await client.SayAsync("x");
        Assert.Equal("x", await server.HearAsync());
        switch (past)
        {
            case Past.InUse:
                server.MarkInUse();
                break;
            case Past.Idle:
                server.MarkInUse();
                server.MarkIdle();
                break;
            case Past.Deadline:
                server.SetReadDeadline(TimeSpan.FromHours(1));
                break;
            case Past.Disowned:
                server.Disown();
                break;
        }
    }
}
