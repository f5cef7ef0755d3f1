using System.Net.Sockets;
using Graceful.Tests.Support;

namespace Graceful.Tests.RawSockets;

/// <summary>What comes at the very moment of a close is either work that is waited for, or an end.</summary>
public sealed class Races
{
    private const int Rounds = 300;

    [Fact]
    public async Task A_request_that_races_CloseIdle_is_answered_or_never_seen()
    {
        await using var rig = new Rig(ConnectionMode.Automatic);
        var (answered, unseen) = (0, 0);
        for (var round = 0; round < Rounds; round++)
        {
            var (server, client) = await rig.PairAsync();
            var serving = Task.Run(async () =>
            {
                var ask = await server.HearAsync();
                if (ask.Length > 0)
                {
                    Assert.Equal(ConnectionPhase.Active, server.Phase);
                    await server.SayAsync("answer");
                    server.MarkIdle();
                }

                return ask.Length > 0;
            });
            var shedding = Task.Run(() => rig.Listener.CloseIdle());
            var answer = "";
            try
            {
                await client.SayAsync("ask");
                answer = await client.HearAsync();
            }
            catch (SocketException)
            {
                // It met the close on the wire.
            }

            var wasSeen = await serving.Soon("The server");
            await shedding.Soon("The shedding");
            Assert.Equal(wasSeen, answer == "answer");
            (answered, unseen) = wasSeen ? (answered + 1, unseen) : (answered, unseen + 1);
            await server.DisposeAsync();
        }

        TestContext.Current.TestOutputHelper?.WriteLine($"{answered} answered, {unseen} never seen");
        await Limits.Until(() => rig.Listener.Connections.Values.Sum() == 0, "the last one has ended, which the server may still be at");
    }

    [Fact]
    public async Task A_disown_that_races_a_drain_either_keeps_the_connection_or_is_refused()
    {
        for (var round = 0; round < Rounds / 3; round++)
        {
            await using var rig = new Rig(ConnectionMode.Manual, quiet: TimeSpan.Zero);
            var (server, client) = await rig.PairAsync();
            var drain = rig.Listener.DrainAllAsync();
            var wasKept = true;
            try
            {
                server.Disown();
            }
            catch (InvalidOperationException)
            {
                wasKept = false;
            }

            await drain.Soon("The drain");
            if (wasKept)
            {
                await client.SayAsync("mine");
                Assert.Equal("mine", await server.HearAsync());
            }
            else
            {
                await client.EndsAsync();
            }
        }
    }

    [Fact]
    public async Task However_marks_ends_and_a_drain_meet_the_drain_ends_once_all_have_left()
    {
        for (var round = 0; round < Rounds / 3; round++)
        {
            await using var rig = new Rig(ConnectionMode.Manual, quiet: TimeSpan.Zero);
            var pairs = new List<GracefulConnection>();
            for (var i = 0; i < 4; i++)
            {
                pairs.Add((await rig.PairAsync()).Server);
            }

            var work = pairs.Select((server, i) => Task.Run(() =>
            {
                server.MarkInUse();
                if (i % 2 == 0)
                {
                    server.MarkIdle();
                }
                else
                {
                    server.Dispose();
                }
            })).ToList();
            var drain = rig.Listener.DrainAsync();
            await Task.WhenAll(work).Soon("The work");
            await drain.Soon("The drain");
            Assert.Equal(0, rig.Listener.Connections.Values.Sum());
        }
    }
}
