using Graceful.Replay;

namespace Graceful.Tests.Records;

/// <summary>
/// A support case in a file: a server with a request that hangs, an idle client and a hook that fails gets SIGTERM, and
/// SIGTERM again. It was recorded once, by a process with real signals.
/// </summary>
public sealed class Replays : IDisposable
{
    private static readonly string Story = Path.Combine(AppContext.BaseDirectory, "Recorded", "second-signal.jsonl");

    private readonly string[] _lines = File.ReadAllLines(Story);
    private readonly string _copy = Path.GetTempFileName();

    public void Dispose() => File.Delete(_copy);

    [Fact]
    public void The_story_is_told_and_ends_as_it_did()
    {
        var (code, output, errors) = Run("--all", Story);
        Assert.Equal((0, ""), (code, errors));
        string[] turns =
        [
            "StopRequested, Signal 15", "-> closing listeners", "ListenersClosed", "-> draining", "gate Drain, 2 inside",
            "connection Retire, AskToClose", "StopRequested, Signal 15", "-> after-drain hooks", "request cut off: GET /slow",
            "HookFinished 0, Failed: InvalidOperationException: disk full", "-> Exited", "Exit 3",
            "the same states and orders again: exited with code 3.",
        ];
        var at = 0;
        foreach (var turn in turns)
        {
            var found = output.IndexOf(turn, at, StringComparison.Ordinal);
            Assert.True(found >= 0, $"'{turn}' is not told after character {at} of\n{output}");
            at = found + turn.Length;
        }
    }

    [Theory]
    [InlineData("idle check none", "idle check 00:00:01", "the state")]
    [InlineData("deadline 00:00:3", "deadline 00:00:4", "the state")]
    [InlineData("\"SweepConnections\",", "", "the orders")]
    [InlineData("\"Exit 3\"", "\"Exit 0\"", "the orders")]
    [InlineData("\"gate\":\"Drain\"", "\"gate\":\"Shut\"", "the gate after it")]
    [InlineData("\"effect\":\"Emptied\"", "\"effect\":\"NoChange\"", "the gate's answer")]
    [InlineData("\"connection\":\"Retire\"", "\"connection\":\"Reap\"", "the connection 1 after it")]
    [InlineData("\"effect\":\"Reset\"", "\"effect\":\"Close\"", "order")]
    [InlineData("\"hook\":0", "\"hook\":1", "the state")]
    [InlineData("\"signal\":15", "\"signal\":2", "the state")]
    public void The_first_line_that_differs_is_named(string recorded, string tampered, string what)
    {
        var line = Array.FindIndex(_lines, text => text.Contains(recorded, StringComparison.Ordinal));
        Assert.True(line >= 0, $"There is no {recorded} in the story.");
        _lines[line] = _lines[line].Replace(recorded, tampered, StringComparison.Ordinal);
        var (code, output, _) = RunCopy();
        Assert.Equal(1, code);
        Assert.Contains($"Line {line + 1} differs: ", output, StringComparison.Ordinal);
        Assert.Contains(what, output[output.IndexOf(" differs: ", StringComparison.Ordinal)..], StringComparison.Ordinal);
        Assert.DoesNotContain("the same states and orders", output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("\"connection\":\"Abort\"")]
    [InlineData("\"gate\":\"Leave\"")]
    [InlineData("\"lifecycle\":\"ListenersClosed\"")]
    public void A_step_that_is_missing_is_noticed(string step)
    {
        var line = Array.FindIndex(_lines, text => text.Contains(step, StringComparison.Ordinal));
        _lines[line] = """{"at":"00:00:00","request":"ended","number":1,"method":"GET","route":"/","age":"00:00:00"}""";
        Assert.Equal(1, RunCopy().Code);
    }

    [Fact]
    public void A_record_that_ends_anywhere_is_good_up_to_there()
    {
        var all = File.ReadAllBytes(Story);
        var first = Array.IndexOf(all, (byte)'\n') + 1;
        for (var end = first; end < all.Length; end += 7)
        {
            File.WriteAllBytes(_copy, all[..end]);
            var (code, output, errors) = Run(_copy);
            Assert.True(code == 0, $"Cut at byte {end}: {errors}{output}");
            Assert.Equal(all[end - 1] != '\n', output.Contains("has no end: the process was killed while it wrote it", StringComparison.Ordinal));
        }
    }

    [Theory]
    [InlineData(3, "{\"at\":\"00:00:01\"", "line 4: it is not JSON")]
    [InlineData(3, "[]", "line 4: it is not a JSON object")]
    [InlineData(3, "{}", "line 4: it says nothing of a lifecycle")]
    [InlineData(3, """{"at":"00:00:01","gate":"Fly","from":0,"to":0,"effect":"NoChange"}""", "line 4: 'gate' is 'Fly'; known are Enter, Leave")]
    [InlineData(3, """{"at":"soon","gate":"Drain","from":0,"to":0,"effect":"NoChange"}""", "line 4: 'at' must be a duration")]
    [InlineData(3, """{"at":"00:00:01","lifecycle":"Woke","state":"Running","effects":[1]}""", "line 4: 'effects' must be a list of texts")]
    [InlineData(0, "hello", "line 1: it is not JSON")]
    [InlineData(0, """{"at":"00:00:01"}""", "line 1: it is not the first line of a record")]
    [InlineData(0, """{"graceful":99}""", "line 1: the record has format 99, and this program reads format 2")]
    public void What_is_no_record_is_named_with_line_and_reason(int index, string line, string reason)
    {
        _lines[index] = line;
        var (code, _, errors) = RunCopy();
        Assert.Equal(2, code);
        Assert.Contains(reason, errors, StringComparison.Ordinal);
    }

    [Fact]
    public void An_empty_file_no_file_and_bad_usage_are_told_apart()
    {
        var (empty, missing, none, two, option, help) =
            (Run(_copy), Run(_copy + ".none"), Run(), Run(_copy, _copy), Run("--fast"), Run("--help"));
        Assert.Equal((2, 2, 2, 2, 2, 0), (empty.Code, missing.Code, none.Code, two.Code, option.Code, help.Code));
        Assert.Contains("it is empty", empty.Errors, StringComparison.Ordinal);
        Assert.Contains("Could not find file", missing.Errors, StringComparison.Ordinal);
        Assert.Contains("it takes one file, not 0", none.Errors, StringComparison.Ordinal);
        Assert.Contains("it takes one file, not 2", two.Errors, StringComparison.Ordinal);
        Assert.Contains("'--fast' is no option", option.Errors, StringComparison.Ordinal);
    }

    private (int Code, string Output, string Errors) RunCopy()
    {
        File.WriteAllLines(_copy, _lines);
        return Run(_copy);
    }

    private static (int Code, string Output, string Errors) Run(params string[] args)
    {
        using var output = new StringWriter();
        using var errors = new StringWriter();
        return (Replayer.Run(args, output, errors), output.ToString(), errors.ToString());
    }
}
