using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Text;
using Graceful.Doorkeeper;
using Graceful.Tests.Support;

namespace Graceful.Tests.Activation;

/// <summary>A server on a socket that goes on after it.</summary>
internal sealed partial class Started : IDisposable
{
    private const int SigTerm = 15;

    private readonly Process _process;
    private readonly StringBuilder _said = new();

    public Started(SharedSocket socket, string[] server)
    {
        _process = socket.Start(server);
        _process.OutputDataReceived += Hear;
        _process.ErrorDataReceived += Hear;
        _process.BeginOutputReadLine();
        _process.BeginErrorReadLine();
    }

    public Task Says(string words) => Limits.Until(
        () =>
        {
            lock (_said)
            {
                return _said.ToString().Contains(words, StringComparison.Ordinal);
            }
        },
        $"the server says {words}");

    public void Terminate() => Assert.Equal(0, Kill(_process.Id, SigTerm));

    public async Task<int> ExitAsync()
    {
        await _process.WaitForExitAsync().Soon($"The exit of the server, which said\n{_said}\nand");
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

    private void Hear(object sender, DataReceivedEventArgs line)
    {
        lock (_said)
        {
            _said.AppendLine(line.Data);
        }
    }

    [LibraryImport("libc", EntryPoint = "kill", SetLastError = true)]
    private static partial int Kill(int pid, int signal);
}
