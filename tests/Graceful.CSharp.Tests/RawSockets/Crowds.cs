using System.Diagnostics;
using System.Globalization;
using System.Net;
using Graceful.Tests.Interleavings;
using Graceful.Tests.Processes;
using Graceful.Tests.Support;

namespace Graceful.Tests.RawSockets;

/// <summary>Ten thousand connections in all phases leave, each exactly as its mode says.</summary>
[Collection(nameof(Alone))]
public sealed class Crowds
{
    private const int Wanted = 10_000;

    /// <summary>Descriptors for everything else in this process.</summary>
    private const int Others = 1_000;

    private static readonly Past[] Pasts = Enum.GetValues<Past>();

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
        var count = Math.Min(Wanted, ManyFiles.Raise(Wanted + Others) - Others);
        if (count < Wanted)
        {
            Say($"The limit of descriptors allows {count} connections and no more.");
        }

        await using var rig = new Rig(mode);
        using var child = Child.Start(ChildCrowd.Kind, [.. new[] { ((IPEndPoint)rig.Listener.LocalEndPoint).Port, count, Pasts.Length }.Select(Text)]);
        var all = await AllAsync(rig, child, count);
        bool IsHeld(Past past) => past == Past.InUse || (past == Past.Read && mode != ConnectionMode.Manual) || (past == Past.Deadline && mode == ConnectionMode.Automatic);
        var held = all.Where(one => IsHeld(one.Past)).ToList();
        var closed = all.Where(one => one.Past != Past.Disowned && !IsHeld(one.Past)).ToList();
        var disowned = all.Where(one => one.Past == Past.Disowned).ToList();
        Assert.Equal(held.Count, rig.Listener.Connections[ConnectionPhase.Active]);
        Assert.Equal(closed.Count + held.Count, rig.Listener.Connections.Values.Sum());

        var drain = rig.Listener.DrainAsync();
        await Limits.Until(() => rig.Listener.Connections.Values.Sum() == held.Count, "all but those in use have gone");
        foreach (var (_, _, server) in closed)
        {
            Assert.Equal(0, await server.ReadAsync(new byte[1]));
        }

        await Limits.Until(() => child.Lines("GOT ").Count >= closed.Count, "those that were closed see it");
        Assert.Equal([.. closed.Select(static one => $"GOT {one.Port} end ").Order()], child.Lines("GOT ").Order());

        // Half of them say a last word, the others just go; the last one goes when nobody else is left.
        Assert.All(held, static one => Assert.True(one.Server.IsRetiring));
        for (var i = 0; i < held.Count - 1; i++)
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

        await Limits.Until(() => rig.Listener.Connections.Values.Sum() == 1, "the last one is alone");
        Assert.False(drain.IsCompleted);
        var completed = drain.ContinueWith(
            static _ => Stopwatch.GetTimestamp(), CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
        await held[^1].Server.SayAsync("bye");
        await held[^1].Server.DisposeAsync();
        var left = Stopwatch.GetTimestamp();
        var after = Stopwatch.GetElapsedTime(left, await completed.Soon("The drain"));
        Say($"The drain of {count} connections ended {after.TotalMicroseconds:F0} µs after the last one had left.");

        foreach (var (_, _, server) in disowned)
        {
            await server.SayAsync("still there?");
            Assert.Equal("!", await server.HearAsync());
            await server.DisposeAsync();
        }

        await child.Said("ENDED");
        Assert.Equal(0, await child.ExitAsync());
        string Expected((Past Past, int Port, GracefulConnection Server) one) =>
            $"GOT {one.Port} end {(IsHeld(one.Past) ? "bye" : one.Past == Past.Disowned ? "still there?" : "")}";
        Assert.Equal([.. all.Select(Expected).Order()], child.Lines("GOT ").Order());
    }

    /// <summary>Accepts them all, and lives on each what its client's number says.</summary>
    private static async Task<List<(Past Past, int Port, GracefulConnection Server)>> AllAsync(Rig rig, Child child, int count)
    {
        var byPort = new Dictionary<int, GracefulConnection>();
        for (var i = 0; i < count; i++)
        {
            var server = await rig.AcceptAsync();
            byPort.Add(((IPEndPoint)server.RemoteEndPoint!).Port, server);
        }

        await child.Said("PORTS ");
        var ports = Assert.Single(child.Lines("PORTS ")).Split(' ')[1..].Select(static port => int.Parse(port, CultureInfo.InvariantCulture));
        var all = ports.Select((port, i) => (Past: Pasts[i % Pasts.Length], Port: port, Server: byPort[port])).ToList();
        foreach (var (past, _, server) in all)
        {
            await LiveAsync(past, server);
        }

        return all;
    }

    private static async Task LiveAsync(Past past, GracefulConnection server)
    {
        if (past is Past.Nothing)
        {
            return;
        }

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

    private static void Say(string line) => TestContext.Current.TestOutputHelper?.WriteLine(line);

    private static string Text(int number) => number.ToString(CultureInfo.InvariantCulture);
}
