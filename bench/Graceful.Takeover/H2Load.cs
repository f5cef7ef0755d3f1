using System.Diagnostics;
using System.Globalization;
using System.Text.RegularExpressions;

namespace Graceful.Takeover;

/// <summary>h2load of nghttp2: 4 connections with up to 8 streams each, 50 requests a second on each, for so many seconds.</summary>
internal sealed partial class H2Load : IDisposable
{
    private static readonly TimeSpan Grace = TimeSpan.FromSeconds(60);

    private readonly Process _process;
    private readonly Task<string> _output;
    private readonly TimeSpan _length;

    public H2Load(int port, int requests)
    {
        // As many as the rate makes of the time: a run that is cut off by the clock says nothing of what was in flight.
        _length = TimeSpan.FromSeconds(requests / 200.0);
        string[] arguments = ["-n", requests.ToString(CultureInfo.InvariantCulture), "-c", "4", "-m", "8", "--rps", "50", $"http://127.0.0.1:{port}/"];
        _process = Process.Start(new ProcessStartInfo("h2load", arguments) { RedirectStandardOutput = true, RedirectStandardError = true })
            ?? throw new InvalidOperationException("h2load did not start.");
        _output = _process.StandardOutput.ReadToEndAsync();
    }

    /// <summary>Waits for its end and counts.</summary>
    public async Task CountAsync(Tally tally)
    {
        await _process.WaitForExitAsync().WaitAsync(_length + Grace);
        var text = await _output;
        var requests = Requests().Match(text);
        if (!requests.Success)
        {
            throw new InvalidOperationException($"h2load counted nothing: {text}");
        }

        int Number(string name) => int.Parse(requests.Groups[name].ValueSpan, CultureInfo.InvariantCulture);
        tally.Answer(Number("succeeded"));

        // Failed are those that were answered otherwise and those that ended with an error; whatever never began counts too.
        var lost = Number("total") - Number("succeeded");
        if (lost > 0)
        {
            tally.Fail($"{requests.Value.Trim()}; {StatusCodes().Match(text).Value.Trim()}", lost);
        }
    }

    public void Dispose()
    {
        if (!_process.HasExited)
        {
            _process.Kill();
        }

        _process.Dispose();
    }

    [GeneratedRegex(@"requests: (?<total>\d+) total, \d+ started, \d+ done, (?<succeeded>\d+) succeeded, .*")]
    private static partial Regex Requests();

    [GeneratedRegex("status codes: .*")]
    private static partial Regex StatusCodes();
}
