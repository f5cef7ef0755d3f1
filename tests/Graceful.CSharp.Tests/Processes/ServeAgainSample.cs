using System.Globalization;
using System.Text.RegularExpressions;
using Graceful.Tests.Support;

namespace Graceful.Tests.Processes;

/// <summary>The sample that serves, closes on SIGUSR1, opens its log anew, and serves again: under load, nobody is lost.</summary>
public sealed class ServeAgainSample : IDisposable
{
    private const int Turns = 4;

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("graceful");

    private string Log => Path.Combine(_folder.FullName, "access.log");

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public async Task Logs_are_rotated_under_load_and_no_request_is_lost()
    {
        using var child = Child.StartBeside("ServeAgain", "0", Log);
        await child.Said("Listening on ");
        var port = int.Parse(Regex.Match(child.Output, @":(\d+)").Groups[1].Value, CultureInfo.InvariantCulture);
        using var enough = new CancellationTokenSource();
        var clients = Enumerable.Range(0, 8).Select(number => AskAsync(port, stays: number < 4, enough.Token)).ToList();
        for (var turn = 1; turn < Turns; turn++)
        {
            await Limits.Until(() => Requests(Log) > 0, $"turn {turn} serves");
            File.Move(Log, $"{Log}.{turn}");
            child.Kill(Signal.User1);
        }

        await Limits.Until(() => Requests(Log) > 0, "the last turn serves");
        await enough.CancelAsync();
        var answers = (await Task.WhenAll(clients).Soon("The clients")).Sum();
        child.Kill(Signal.Terminate);
        Assert.Equal(0, await child.ExitAsync());
        Assert.Equal(answers, Directory.GetFiles(_folder.FullName).Sum(Requests));
        Assert.Equal(Turns, Directory.GetFiles(_folder.FullName).Length);
        for (var turn = 1; turn < Turns; turn++)
        {
            Assert.Contains("Left after SIGUSR1", await File.ReadAllTextAsync($"{Log}.{turn}"), StringComparison.Ordinal);
        }

        Assert.Contains("Left after SIGTERM", await File.ReadAllTextAsync(Log), StringComparison.Ordinal);
    }

    [Fact]
    public async Task It_says_how_it_is_used()
    {
        using var child = Child.StartBeside("ServeAgain");
        Assert.Equal(64, await child.ExitAsync());
    }

    /// <summary>Asks one request after the other, each of which must be answered, and counts the answers.</summary>
    private static async Task<int> AskAsync(int port, bool stays, CancellationToken enough)
    {
        var answers = 0;
        RawClient? client = null;
        while (!enough.IsCancellationRequested)
        {
            client ??= await RawClient.ConnectAsync(port);
            var response = await client.GetAsync("/");
            Assert.Equal(200, response.Status);
            answers++;
            if (!stays || response.IsTold)
            {
                client.Dispose();
                client = null;
            }

            await Task.Delay(1, CancellationToken.None);
        }

        client?.Dispose();
        return answers;
    }

    private static int Requests(string log) =>
        File.Exists(log) ? File.ReadLines(log).Count(line => line.StartsWith("GET ", StringComparison.Ordinal)) : 0;
}
