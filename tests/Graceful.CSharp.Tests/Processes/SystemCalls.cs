using System.ComponentModel;
using System.Runtime.InteropServices;

namespace Graceful.Tests.Processes;

/// <summary>Has the kernel answer system calls of this process with an error, until it ends. For x64 and arm64.</summary>
internal static unsafe partial class SystemCalls
{
    private const int InvalidArgument = 22;
    private const int ProtocolError = 71;

    // Offsets into what the kernel shows a filter.
    private const uint Number = 0;
    private const uint Argument0 = 16;
    private const uint Argument1 = 24;
    private const uint Argument2 = 32;

    private static bool IsArm => RuntimeInformation.ProcessArchitecture == Architecture.Arm64;

    /// <summary>Who is accepted from this descriptor has lost his network: EPROTO.</summary>
    public static void FailAccept(nint listener) => Fail(ProtocolError, (Number, IsArm ? 242u : 288u), (Argument0, (uint)listener));

    /// <summary>TCP_NODELAY can't be set: EINVAL, as where the client has gone, on other systems.</summary>
    public static void FailNoDelay() => Fail(InvalidArgument, (Number, IsArm ? 208u : 54u), (Argument1, 6u), (Argument2, 1u));

    private static void Fail(int error, params ReadOnlySpan<(uint Offset, uint Value)> where)
    {
        const ushort Load = 0x20;
        const ushort JumpIfEqual = 0x15;
        const ushort Return = 0x06;
        const uint Allow = 0x7FFF0000;
        const uint Error = 0x00050000;
        List<Instruction> program = [];
        for (var i = 0; i < where.Length; i++)
        {
            program.Add(new(Load, 0, 0, where[i].Offset));
            // If not, over the rest to the last one.
            program.Add(new(JumpIfEqual, 0, (byte)(2 * (where.Length - i) - 1), where[i].Value));
        }

        program.Add(new(Return, 0, 0, Error | (uint)error));
        program.Add(new(Return, 0, 0, Allow));
        fixed (Instruction* first = program.ToArray())
        {
            const int NoNewPrivileges = 38;
            const nint SetFilter = 1;
            const nint OfAllThreads = 1;
            var filter = new Filter((ushort)program.Count, first);
            if (Control(NoNewPrivileges, 1, 0, 0, 0) != 0 || Call(IsArm ? 277 : 317, SetFilter, OfAllThreads, &filter) != 0)
            {
                throw new Win32Exception(Marshal.GetLastPInvokeError());
            }
        }
    }

    [LibraryImport("libc", EntryPoint = "prctl", SetLastError = true)]
    private static partial int Control(int option, nuint value, nuint none2, nuint none3, nuint none4);

    [LibraryImport("libc", EntryPoint = "syscall", SetLastError = true)]
    private static partial nint Call(nint number, nint operation, nint flags, Filter* filter);

    private readonly record struct Instruction(ushort Code, byte IfTrue, byte IfFalse, uint Value);

    private readonly struct Filter(ushort length, Instruction* first)
    {
        public readonly ushort Length = length;
        public readonly Instruction* First = first;
    }
}
