using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;

namespace Graceful.Doorkeeper;

/// <summary>One server after the other on the same socket: each is started when somebody comes, and the next one waits as soon as it has left.</summary>
internal sealed partial class Activations(SharedSocket socket, IReadOnlyList<string> server)
{
    private const int SigTerm = 15;
    private const string TimeOfDay = "HH:mm:ss.ffffff";

    /// <summary>The log says when, because it is read some milliseconds later.</summary>
    private static readonly string[] WithTimes =
    [
        "-E", $"Logging__Console__FormatterOptions__TimestampFormat={TimeOfDay} ", "-E", "Logging__Console__FormatterOptions__UseUtcTimestamp=true",
    ];

    private readonly Lock _state = new();
    private readonly List<string> _troubles = [];
    private readonly List<long> _leavings = [];
    private Process? _current;
    private bool _enough;

    /// <summary>How many servers have come and gone.</summary>
    public int Count { get; private set; }

    /// <summary>Servers that did not end with code 0, with what they said.</summary>
    public IReadOnlyList<string> Troubles
    {
        get
        {
            lock (_state)
            {
                return [.. _troubles];
            }
        }
    }

    /// <summary>When servers said that they leave, as time stamps, since the last call.</summary>
    public IReadOnlyList<long> TakeLeavings()
    {
        lock (_state)
        {
            List<long> taken = [.. _leavings];
            _leavings.Clear();
            return taken;
        }
    }

    public void Run()
    {
        while (true)
        {
            Process process;
            lock (_state)
            {
                if (_enough)
                {
                    return;
                }

                _current = process = socket.Start([.. WithTimes, .. server]);
            }

            var said = new StringBuilder();
            var head = "";
            void Hear(object sender, DataReceivedEventArgs line) => head = Take(line.Data, head, said);
            process.OutputDataReceived += Hear;
            process.ErrorDataReceived += Hear;
            process.BeginOutputReadLine();
            process.BeginErrorReadLine();
            process.WaitForExit();
            lock (_state)
            {
                if (_enough)
                {
                    return;
                }

                Count++;
                if (process.ExitCode != 0)
                {
                    _troubles.Add($"A server ended with code {process.ExitCode} and said\n{said}");
                }
            }

            process.Dispose();
        }
    }

    /// <summary>No more of them; the one that is there is told to leave.</summary>
    public void End()
    {
        lock (_state)
        {
            _enough = true;
            _ = _current is { HasExited: false } process ? Kill(process.Id, SigTerm) : 0;
        }
    }

    /// <returns>The line, which may be the head of the next one.</returns>
    private string Take(string? line, string head, StringBuilder said)
    {
        lock (_state)
        {
            said.AppendLine(line);
            if (line?.Contains("Leaving: ", StringComparison.Ordinal) == true)
            {
                _leavings.Add(Stopwatch.GetTimestamp() - (long)(Age(head).TotalSeconds * Stopwatch.Frequency));
            }
        }

        return line ?? "";
    }

    /// <summary>How long ago it was written; nothing where it does not say.</summary>
    private static TimeSpan Age(string head)
    {
        const DateTimeStyles Utc = DateTimeStyles.AssumeUniversal | DateTimeStyles.AdjustToUniversal;
        var now = DateTime.UtcNow;
        return head.Length > TimeOfDay.Length && DateTime.TryParseExact(head[..TimeOfDay.Length], TimeOfDay, CultureInfo.InvariantCulture, Utc, out var written)
            ? TimeSpan.FromTicks(Math.Max(0, (now.TimeOfDay - written.TimeOfDay).Ticks))
            : TimeSpan.Zero;
    }

    [LibraryImport("libc", EntryPoint = "kill", SetLastError = true)]
    private static partial int Kill(int pid, int signal);
}
