using System.Collections;
using System.Diagnostics;
using System.Runtime.InteropServices;

namespace Graceful.Probe;

// The server as our own child. System.Diagnostics.Process would report 128+n both for a server that was killed by signal n and
// for one that exited with that code, and it reaps children by itself; here the kernel's own word is read, and the moment of
// the exit is stamped by a thread that waits for nothing else.
internal sealed unsafe class ServerProcess : IDisposable
{
    private const int AttributeBytes = 512;
    private const int SignalSetBytes = 128;

    private readonly Lock gate = new();
    private readonly ManualResetEventSlim exited = new();
    private readonly OutputTail output = new();
    private readonly Thread reader;
    private volatile bool noMoreOutput;
    private int outputFd;

    private ServerProcess(int pid, int outputFd)
    {
        Pid = pid;
        this.outputFd = outputFd;
        reader = new Thread(ReadOutput) { IsBackground = true, Name = "server output" };
        reader.Start();
        new Thread(AwaitExit) { IsBackground = true, Name = "server exit", Priority = ThreadPriority.Highest }.Start();
    }

    public int Pid { get; }

    // Stopwatch time stamp; meaningful once the process has exited.
    public long ExitedAt { get; private set; }

    public ServerExit Exit { get; private set; }

    public bool HasExited => exited.IsSet;

    public string Output => output.ToString();

    public static ServerProcess Start(IReadOnlyList<string> words, IReadOnlyDictionary<string, string> environment)
    {
        int* pipe = stackalloc int[2];
        if (Libc.Pipe(pipe, Libc.O_CLOEXEC) < 0)
        {
            throw new ProbeException($"pipe2 failed: {Libc.ErrorName(Libc.Errno)}");
        }
        byte* actions = stackalloc byte[AttributeBytes];
        byte* attributes = stackalloc byte[AttributeBytes];
        byte* none = stackalloc byte[SignalSetBytes];
        byte* pipeSignal = stackalloc byte[SignalSetBytes];
        new Span<byte>(none, SignalSetBytes).Clear();
        new Span<byte>(pipeSignal, SignalSetBytes).Clear();
        // .NET ignores SIGPIPE, and an ignored signal stays ignored over exec; the server shall start as from a shell.
        pipeSignal[(13 - 1) / 8] = 1 << ((13 - 1) % 8);
        byte** argv = Strings(words);
        byte** envp = Strings(EnvironmentWith(environment));
        var devNull = (byte*)Marshal.StringToCoTaskMemUTF8("/dev/null");
        try
        {
            _ = Libc.SpawnActionsInit(actions);
            _ = Libc.SpawnActionsAddOpen(actions, 0, devNull, Libc.O_RDONLY, 0);
            _ = Libc.SpawnActionsAddDup2(actions, pipe[1], 1);
            _ = Libc.SpawnActionsAddDup2(actions, pipe[1], 2);
            _ = Libc.SpawnAttributesInit(attributes);
            _ = Libc.SpawnAttributesSetFlags(attributes, Libc.POSIX_SPAWN_SETSIGDEF | Libc.POSIX_SPAWN_SETSIGMASK);
            _ = Libc.SpawnAttributesSetSigDefault(attributes, pipeSignal);
            _ = Libc.SpawnAttributesSetSigMask(attributes, none);
            int pid;
            int error = Libc.SpawnP(&pid, argv[0], actions, attributes, argv, envp);
            _ = Libc.SpawnActionsDestroy(actions);
            _ = Libc.SpawnAttributesDestroy(attributes);
            if (error != 0)
            {
                _ = Libc.Close(pipe[0]);
                throw new ProbeException($"'{words[0]}' cannot be started: {Libc.ErrorName(error)}");
            }
            return new ServerProcess(pid, pipe[0]);
        }
        finally
        {
            _ = Libc.Close(pipe[1]);
            Free(argv);
            Free(envp);
            Marshal.FreeCoTaskMem((nint)devNull);
        }
    }

    // Nothing is sent once the process has been reaped: its number may belong to somebody else by then.
    public void Signal(int signal)
    {
        lock (gate)
        {
            if (!HasExited && Libc.Kill(Pid, signal) < 0)
            {
                throw new ProbeException($"kill({Pid}, {SignalNumber.Name(signal)}) failed: {Libc.ErrorName(Libc.Errno)}");
            }
        }
    }

    public bool WaitForExit(TimeSpan limit) => exited.Wait(limit);

    // The rest of what the server printed; it ends with the process unless a child of the server holds the pipe.
    public void FinishOutput()
    {
        reader.Join(TimeSpan.FromMilliseconds(500));
        noMoreOutput = true;
        reader.Join();
    }

    public void Dispose()
    {
        if (!HasExited)
        {
            Signal(Libc.SIGKILL);
            exited.Wait(TimeSpan.FromSeconds(10));
        }
        FinishOutput();
        if (outputFd >= 0)
        {
            _ = Libc.Close(outputFd);
            outputFd = -1;
        }
        exited.Dispose();
    }

    private void AwaitExit()
    {
        byte* unused = stackalloc byte[128];
        // WNOWAIT leaves the process in place, so that its number stays taken until Signal can know of the exit.
        while (Libc.WaitId(Libc.P_PID, Pid, unused, Libc.WEXITED | Libc.WNOWAIT) < 0 && Libc.Errno == Libc.EINTR)
        {
        }
        ExitedAt = Stopwatch.GetTimestamp();
        lock (gate)
        {
            int status = 0;
            int reaped;
            do
            {
                reaped = Libc.WaitPid(Pid, &status, 0);
            }
            while (reaped < 0 && Libc.Errno == Libc.EINTR);
            Exit = reaped == Pid ? ServerExit.FromStatus(status) : default;
            exited.Set();
        }
    }

    private void ReadOutput()
    {
        const int Size = 16 * 1024;
        var buffer = (byte*)NativeMemory.Alloc(Size);
        try
        {
            while (!noMoreOutput)
            {
                long pollFd = (uint)outputFd | ((long)Libc.POLLIN << 32);
                if (Libc.Poll(&pollFd, 1, 100) <= 0)
                {
                    continue;
                }
                nint count = Libc.Read(outputFd, buffer, Size);
                if (count <= 0)
                {
                    return;
                }
                output.Add(new ReadOnlySpan<byte>(buffer, (int)count));
            }
        }
        finally
        {
            NativeMemory.Free(buffer);
        }
    }

    private static List<string> EnvironmentWith(IReadOnlyDictionary<string, string> changes)
    {
        var all = new Dictionary<string, string>();
        foreach (DictionaryEntry entry in Environment.GetEnvironmentVariables())
        {
            all[(string)entry.Key] = (string?)entry.Value ?? "";
        }
        foreach ((string name, string value) in changes)
        {
            all[name] = value;
        }
        return [.. all.Select(pair => $"{pair.Key}={pair.Value}")];
    }

    private static byte** Strings(IReadOnlyList<string> strings)
    {
        var array = (byte**)NativeMemory.AllocZeroed((nuint)(strings.Count + 1), (nuint)sizeof(nint));
        for (int i = 0; i < strings.Count; i++)
        {
            array[i] = (byte*)Marshal.StringToCoTaskMemUTF8(strings[i]);
        }
        return array;
    }

    private static void Free(byte** strings)
    {
        for (byte** p = strings; *p != null; p++)
        {
            Marshal.FreeCoTaskMem((nint)(*p));
        }
        NativeMemory.Free(strings);
    }
}
