using System.Globalization;
using System.Text.RegularExpressions;
using Graceful.Tests.Support;
using Graceful.Tests.Trackers;

namespace Graceful.Tests.Processes;

/// <summary>The sample of a server that is not ours.</summary>
public sealed class EchoSample
{
    [Fact]
    public async Task It_sends_lines_back_and_leaves_when_its_clients_have_their_answers()
    {
        using var child = Child.StartBeside("Echo", "0");
        await child.Said("Listening on ");
        var port = int.Parse(Regex.Match(child.Output, @":(\d+)").Groups[1].Value, CultureInfo.InvariantCulture);
        using var idle = await RawClient.ConnectAsync(port);
        using var talking = await RawClient.ConnectAsync(port);
        await EchoAsync(idle, "hello");

        // Half a line keeps it, however long the rest takes.
        await talking.SendAsync("one\ntw");
        await ForeignServer.AnswersAsync(talking, "one");
        child.Kill(Signal.Terminate);
        Assert.Equal(Ending.Fin, await idle.EndAsync());
        await talking.SendAsync("o\nthree\n");
        await ForeignServer.AnswersAsync(talking, "two");
        await ForeignServer.AnswersAsync(talking, "three");
        Assert.Equal(Ending.Fin, await talking.EndAsync());
        Assert.Equal(0, await child.ExitAsync());
        Assert.Contains("Left after SIGTERM", child.Output, StringComparison.Ordinal);
        Assert.Contains("2 closed (0 told on their last response), 0 aborted", child.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Lines_that_come_in_one_packet_are_all_answered()
    {
        using var child = Child.StartBeside("Echo", "0");
        await child.Said("Listening on ");
        using var client = await RawClient.ConnectAsync(int.Parse(Regex.Match(child.Output, @":(\d+)").Groups[1].Value, CultureInfo.InvariantCulture));
        await client.SendAsync("one\ntwo\n");
        await ForeignServer.AnswersAsync(client, "one");
        await ForeignServer.AnswersAsync(client, "two");
        child.Kill(Signal.Terminate);
        Assert.Equal(Ending.Fin, await client.EndAsync());
        Assert.Equal(0, await child.ExitAsync());
    }

    [Fact]
    public async Task It_says_how_it_is_used()
    {
        using var child = Child.StartBeside("Echo");
        Assert.Equal(64, await child.ExitAsync());
    }

    private static async Task EchoAsync(RawClient client, string line)
    {
        await client.SendAsync(line + "\n");
        await ForeignServer.AnswersAsync(client, line);
    }
}
