using System.Text.Json;
using Xunit;

namespace Graceful.Probe.Tests;

public sealed class CommandLineTests
{
    [Theory]
    [InlineData("--runs", "0", "a whole number from 1 to 10000")]
    [InlineData("--keep-alive", "many", "a whole number from 0 to 20000")]
    [InlineData("--connect", "-1", "a whole number from 0 to 20000")]
    [InlineData("--load", "5x", "a time from 50ms to 60m")]
    [InlineData("--limit", "2d", "a time from 100ms to 60m")]
    [InlineData("--signal", "SIGWAVE", "a signal's name")]
    [InlineData("--path", "index", "a path that starts with /")]
    [InlineData("--close", "softly", "fin or reset")]
    [InlineData("--protocol", "spdy", "http1, http2, fastcgi, websocket or sse")]
    [InlineData("--unix", "x.sock", "a path that starts with /, at most 107 bytes")]
    [InlineData("--streams", "0", "a whole number from 1 to 100")]
    [InlineData("--env", "NAME", "NAME=VALUE")]
    [InlineData("--expect-clean", "other", "the label of a server, here a")]
    [InlineData("--server", "b=dotnet b.dll", "a command with {port} in it")]
    [InlineData("--server", "b='dotnet {port}", "but a ' is never closed")]
    [InlineData("--server", "a=dotnet {port}", "but 'a' is taken")]
    public async Task A_bad_value_is_named_with_its_option_and_what_is_allowed(string option, string value, string allowed)
    {
        ProbeRun run = await ProbeRun.Start("--server", "a=server {port}", option, value);
        Assert.Equal(2, run.Status);
        string shown = value.StartsWith("b=dotnet", StringComparison.Ordinal) ? value[2..] : value;
        Assert.Contains($"{option}: '{shown}' is not allowed; allowed: ", run.Error, StringComparison.Ordinal);
        Assert.Contains(allowed, run.Error, StringComparison.Ordinal);
        Assert.Empty(run.Output);
    }

    [Theory]
    [InlineData("--kep-alive", "3")]
    [InlineData("dotnet", "{port}")]
    public async Task An_unknown_option_is_named_and_not_taken_for_a_command(string first, string second)
    {
        ProbeRun run = await ProbeRun.Start(first, second);
        Assert.Equal(2, run.Status);
        Assert.Contains($"'{first}'", run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task No_server_is_an_error_and_help_is_not()
    {
        ProbeRun none = await ProbeRun.Start("--runs", "2");
        Assert.Equal(2, none.Status);
        Assert.Contains("no server: give --server", none.Error, StringComparison.Ordinal);
        ProbeRun help = await ProbeRun.Start("--help");
        Assert.Equal(0, help.Status);
        Assert.Contains("--expect-clean", help.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Json_on_standard_output_is_nothing_but_json()
    {
        ProbeRun run = await ProbeRun.Start(
            "--json", "-", "--keep-alive", "0", "--connect", "0", "--idle", "1", "--warm-up", "0", "--load", "50ms", "--server", ProbeRun.RudeServer(""));
        Assert.Equal(0, run.Status);
        JsonElement json = JsonDocument.Parse(run.Output).RootElement;
        Assert.Equal(1, json.GetProperty("servers")[0].GetProperty("runs")[0].GetProperty("idle").GetProperty("fin").GetInt32());
        Assert.Contains("signal to", run.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Env_reaches_the_server_and_quiet_hides_the_progress()
    {
        ProbeRun run = await ProbeRun.Start(
            "--env", "LISTEN_AT={port}", "--env", "WORD=a b", "--show-output", "--quiet", "--keep-alive", "0", "--connect", "0", "--idle", "1",
            "--warm-up", "0", "--load", "50ms", "--", "sh", "-c",
            $"echo \"WORD is $WORD\"; exec {ProbeRun.RudeServer("").Replace("port={port}", "port=$LISTEN_AT", StringComparison.Ordinal)}");
        Assert.Equal(0, run.Status);
        Assert.Contains("WORD is a b", run.Output, StringComparison.Ordinal);
        Assert.DoesNotContain("[1/1]", run.Output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("a b  c", new[] { "a", "b", "c" })]
    [InlineData("a 'b c' \"d e\"", new[] { "a", "b c", "d e" })]
    [InlineData("a=\"x y\"z ''", new[] { "a=x yz", "" })]
    [InlineData(@"a\ b 'c\d' ""e\""f\\g\h""", new[] { "a b", @"c\d", @"e""f\g\h" })]
    public void A_command_is_split_into_words(string text, string[] expected)
    {
        Assert.True(CommandWords.TrySplit(text, out List<string> words, out _));
        Assert.Equal(expected, words);
    }

    [Theory]
    [InlineData("", "no words")]
    [InlineData("a \"b", "never closed")]
    public void A_command_that_cannot_be_split_is_refused(string text, string error)
    {
        Assert.False(CommandWords.TrySplit(text, out _, out string said));
        Assert.Contains(error, said, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("300ms", 300)]
    [InlineData("2s", 2000)]
    [InlineData("1.5s", 1500)]
    [InlineData("1m", 60_000)]
    [InlineData("250", 250)]
    [InlineData("-1s", -1)]
    [InlineData("s", -1)]
    [InlineData("1h", -1)]
    public void Durations_are_read(string text, int milliseconds)
    {
        Assert.Equal(milliseconds >= 0, Duration.TryParse(text, out TimeSpan time));
        Assert.Equal(Math.Max(0, milliseconds), time.TotalMilliseconds);
    }

    [Theory]
    [InlineData("SIGTERM", 15)]
    [InlineData("term", 15)]
    [InlineData("INT", 2)]
    [InlineData("9", 9)]
    [InlineData("65", 0)]
    [InlineData("", 0)]
    public void Signals_are_read(string text, int number)
    {
        Assert.Equal(number > 0, SignalNumber.TryParse(text, out int signal));
        Assert.True(number == 0 || number == signal);
    }

    [Fact]
    public void A_spread_is_least_middle_and_greatest()
    {
        Assert.Equal(new Spread(1, 2, 9), Spread.Of([9, 1, 2]));
        Assert.Equal(new Spread(1, 2.5, 9), Spread.Of([9, 1, 2, 3]));
        Assert.Null(Spread.Of([]));
    }
}
