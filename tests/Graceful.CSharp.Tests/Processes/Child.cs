using System.ComponentModel;
using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using Graceful.Tests.Support;

namespace Graceful.Tests.Processes;

internal enum Signal
{
    HangUp = 1,
    Interrupt = 2,
    Quit = 3,
    Kill = 9,
    User1 = 10,
    User2 = 12,
    Terminate = 15,
    RealTime40 = 40,
}

/// <summary>A server in a process of its own, so that real signals and exit codes can be seen.</summary>
internal sealed partial class Child : IDisposable
{
    private readonly Process _process;
    private readonly List<string> _lines = [];
    private readonly Task _output;
    private readonly Task _errors;
    private readonly Stopwatch _sinceSignal = new();

    /// <summary>
    /// Who runs the tests in the background of a shell has SIGINT and SIGQUIT ignored, and so would every child: there a signal that is
    /// ignored stays so.
    /// </summary>
    static Child()
    {
        var ignored = File.ReadLines("/proc/self/status").First(line => line.StartsWith("SigIgn:", StringComparison.Ordinal)).Split('\t')[1];
        foreach (var signal in new[] { (int)Signal.Interrupt, (int)Signal.Quit })
        {
            if ((Convert.ToUInt64(ignored, 16) >> (signal - 1) & 1) == 1)
            {
                SetHandler(signal, handler: 0);
            }
        }
    }

    private Child(Process process)
    {
        _process = process;
        _output = CollectAsync(process.StandardOutput);
        _errors = CollectAsync(process.StandardError);
    }

    public static Child Start(string kind, params string[] options) => Start(kind, [], options);

    public static Child Start(string kind, Dictionary<string, string> environment, params string[] options)
    {
        var program = Environment.ProcessPath!;
        var isMuxer = Path.GetFileNameWithoutExtension(program).Equals("dotnet", StringComparison.OrdinalIgnoreCase);
        string[] self = isMuxer ? [typeof(Child).Assembly.Location] : [];
        return Start(program, [.. self, "serve", kind, .. options], environment);
    }

    /// <summary>Starts a program that the build put beside this one, a sample.</summary>
    public static Child StartBeside(string program, params string[] options) =>
        Start("dotnet", [Path.Combine(AppContext.BaseDirectory, program + ".dll"), .. options], []);

    /// <summary>Starts any program, found as a shell finds it.</summary>
    public static Child StartProgram(string program, params string[] arguments) => Start(program, arguments, []);

    private static Child Start(string program, string[] arguments, Dictionary<string, string> environment)
    {
        var info = new ProcessStartInfo(program, arguments)
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        foreach (var (name, value) in environment)
        {
            info.Environment[name] = value;
        }

        return new Child(Process.Start(info)!);
    }

    /// <summary>Starts a server and waits until it listens.</summary>
    public static Task<(Child Child, int Port)> ListeningAsync(string kind, params string[] options) => ListeningAsync(kind, [], options);

    public static async Task<(Child Child, int Port)> ListeningAsync(string kind, Dictionary<string, string> environment, params string[] options)
    {
        var child = Start(kind, environment, options);
        return (child, await child.PortAsync());
    }

    public string Output
    {
        get
        {
            lock (_lines)
            {
                return string.Join('\n', _lines);
            }
        }
    }

    /// <summary>What it has said that begins so.</summary>
    public List<string> Lines(string beginning)
    {
        lock (_lines)
        {
            return _lines.FindAll(line => line.StartsWith(beginning, StringComparison.Ordinal));
        }
    }

    /// <summary>From the first signal on.</summary>
    public TimeSpan SinceSignal => _sinceSignal.Elapsed;

    public int Id => _process.Id;

    public bool HasExited => _process.HasExited;

    public async Task<int> PortAsync()
    {
        await Said("LISTENING");
        return int.Parse(Find("LISTENING").Split(' ')[1], CultureInfo.InvariantCulture);
    }

    public Task Said(string word) => Limits.Until(
        () => Find(word) != "" || (_process.HasExited && _output.IsCompleted && Find(word) == "" ? throw new InvalidOperationException(
            $"The child exited with {_process.ExitCode} and never said {word}:\n{Output}") : false),
        $"the child says {word}");

    /// <summary>As <see cref="Said"/>, but anywhere in a line.</summary>
    public Task Wrote(string words) => Limits.Until(() => Output.Contains(words, StringComparison.Ordinal), $"the child writes {words}");

    /// <summary>Lets a child that waits for its standard input go on.</summary>
    public void GoOn()
    {
        _process.StandardInput.WriteLine();
        _process.StandardInput.Flush();
    }

    public void Kill(Signal signal)
    {
        _sinceSignal.Start();
        if (Kill(_process.Id, (int)signal) != 0)
        {
            throw new Win32Exception(Marshal.GetLastPInvokeError());
        }
    }

    /// <summary>As <see cref="Kill(Signal)"/>, but it may be gone already.</summary>
    public bool TryKill(Signal signal)
    {
        _sinceSignal.Start();
        return !_process.HasExited && Kill(_process.Id, (int)signal) == 0;
    }

    /// <summary>Waits for the exit and for the last of the output.</summary>
    /// <param name="limit">How long that may take; null for as long as anything else.</param>
    public async Task<int> ExitAsync(TimeSpan? limit = null)
    {
        await (limit is { } longer ? _process.WaitForExitAsync().WaitAsync(longer) : _process.WaitForExitAsync().Soon($"The exit of the child, which said\n{Output}\nand"));
        await Task.WhenAll(_output, _errors).Soon();
        return _process.ExitCode;
    }

    public void Dispose()
    {
        if (!_process.HasExited)
        {
            _process.Kill();
        }

        _process.Dispose();
    }

    private string Find(string word)
    {
        lock (_lines)
        {
            return _lines.Find(line => line.StartsWith(word, StringComparison.Ordinal)) ?? "";
        }
    }

    private async Task CollectAsync(StreamReader from)
    {
        while (await from.ReadLineAsync() is { } line)
        {
            lock (_lines)
            {
                _lines.Add(line);
            }
        }
    }

    [LibraryImport("libc", EntryPoint = "kill", SetLastError = true)]
    private static partial int Kill(int pid, int signal);

    [LibraryImport("libc", EntryPoint = "signal", SetLastError = true)]
    private static partial nint SetHandler(int signal, nint handler);
}
