using System.ComponentModel;
using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;

namespace Graceful.Takeover;

/// <summary>A server in a process that is started, stopped by SIGTERM, and started again on the same port.</summary>
internal sealed partial class Backend(bool plain) : IDisposable
{
    private const int Terminate = 15;

    private static readonly TimeSpan StartLimit = TimeSpan.FromSeconds(20);
    private static readonly TimeSpan StopLimit = TimeSpan.FromSeconds(60);

    private Process? _process;

    public int Port { get; } = FreePort();

    public int HealthPort { get; } = FreePort();

    public static int FreePort()
    {
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        socket.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        return ((IPEndPoint)socket.LocalEndPoint!).Port;
    }

    /// <summary>Completes when it accepts.</summary>
    /// <exception cref="TimeoutException">It does not.</exception>
    public async Task StartAsync()
    {
        string[] arguments = [typeof(Backend).Assembly.Location, "serve", $"{Port}", $"{HealthPort}", plain ? "plain" : "graceful"];
        _process = Process.Start(new ProcessStartInfo("dotnet", arguments)) ?? throw new InvalidOperationException("The server did not start.");
        var since = Stopwatch.StartNew();
        while (!await AcceptsAsync())
        {
            if (_process.HasExited || since.Elapsed > StartLimit)
            {
                throw new TimeoutException($"The server on port {Port} does not listen, {since.Elapsed.TotalSeconds:F0} s after its start.");
            }

            await Task.Delay(20);
        }
    }

    /// <summary>Sends SIGTERM and waits for the exit.</summary>
    /// <returns>How long that took, and the exit code.</returns>
    public async Task<(TimeSpan Took, int Code)> StopAsync()
    {
        var process = _process!;
        var since = Stopwatch.StartNew();
        Signal(process.Id);
        await process.WaitForExitAsync().WaitAsync(StopLimit);
        var took = since.Elapsed;
        var code = process.ExitCode;
        process.Dispose();
        _process = null;
        return (took, code);
    }

    /// <summary>Sends SIGTERM and waits for nothing.</summary>
    public void Signal() => Signal(_process!.Id);

    public void Dispose()
    {
        if (_process is { HasExited: false })
        {
            _process.Kill();
        }

        _process?.Dispose();
    }

    private static void Signal(int pid)
    {
        if (Kill(pid, Terminate) != 0)
        {
            throw new Win32Exception(Marshal.GetLastPInvokeError());
        }
    }

    private async Task<bool> AcceptsAsync()
    {
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        try
        {
            await socket.ConnectAsync(IPAddress.Loopback, Port);
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }

    [LibraryImport("libc", EntryPoint = "kill", SetLastError = true)]
    private static partial int Kill(int pid, int signal);
}
