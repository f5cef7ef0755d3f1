using System.Net.Sockets;
using System.Runtime.InteropServices;

namespace Graceful.Sockets;

/// <summary>New handshakes are kept out of a listening socket from now on, as well as this machine and this process allow.</summary>
/// <remarks>
/// The first rung of the ladder that works is taken: <see cref="IntakeMethod.SynFilter"/>, <see cref="IntakeMethod.Unplug"/>,
/// <see cref="IntakeMethod.LastCall"/>. With the first two, handshakes that are half done still finish, and come out of the listener's
/// own accept queue; give them a round trip, accept until the queue is empty, then close. There is nothing to undo or to dispose:
/// closing the listener ends it.
/// </remarks>
internal sealed class IntakeStop
{
    private const int SolSocket = 1;
    private const int SoAttachFilter = 26;
    private const int SoBindToIfIndex = 62;

    /// <summary>The kernel numbers interfaces upwards from 1, and does not ask whether the one a socket is bound to exists.</summary>
    private const int NoSuchInterface = int.MaxValue;

    /// <summary>
    /// Drops a segment with SYN and without ACK, lets all others pass. The data starts at the TCP header, so that one program does for
    /// IPv4 and IPv6. To drop everything would take away the last ACK of a handshake half done, and with it a client that believes it is
    /// connected. Pinned, because the kernel is given its address.
    /// </summary>
    private static readonly FilterStep[] DropNewHandshakes = Pinned(
        new FilterStep(0x30, 0, 0, 13),             // ldb [13]      the flags
        new FilterStep(0x54, 0, 0, 0x12),           // and #0x12     SYN and ACK
        new FilterStep(0x15, 0, 1, 0x02),           // jeq #2        SYN alone?
        new FilterStep(0x06, 0, 0, 0),              // ret #0        drop
        new FilterStep(0x06, 0, 0, uint.MaxValue)); // ret #-1       pass

    private IntakeStop(IntakeMethod method, string? why)
    {
        Method = method;
        Why = why;
    }

    /// <summary>What is in force.</summary>
    public IntakeMethod Method { get; }

    /// <summary>Why nothing better is in force, for the report; null when the best, or the one asked for, is.</summary>
    public string? Why { get; }

    /// <summary>Makes a listening socket's queues as long as the kernel allows, <c>net.core.somaxconn</c>. Never throws.</summary>
    /// <remarks>
    /// A handshake that finds no room is not refused but forgotten: the kernel drops its last ACK, or has answered it with a SYN cookie,
    /// and the client believes it is connected to a socket that has never heard of it. So it is best done when the socket begins to
    /// listen, and helps if done a round trip before <see cref="Begin"/>, which does it as well: from then on whatever is half done fits
    /// in, however slowly we accept.
    /// </remarks>
    /// <param name="listener">A listening socket that nobody else holds. The accept loop may be running on it.</param>
    public static void Widen(Socket listener)
    {
        ArgumentNullException.ThrowIfNull(listener);
        try
        {
            listener.Listen(int.MaxValue);
        }
        catch (SocketException)
        {
            // The queues stay as long as they are, which is what everybody else lives with.
        }
        catch (ObjectDisposedException)
        {
            // Nothing is queued in a closed socket.
        }
    }

    /// <summary>Keeps new handshakes out of a listening socket. At most three system calls; never waits and never throws.</summary>
    /// <param name="listener">
    /// A listening socket that nobody else holds: what is done here is done to the socket, not to the descriptor, and can't be undone
    /// without privilege, so that a successor that shares it would be cut off as well. The accept loop may be running on it.
    /// </param>
    /// <param name="wanted">The only method to try before falling back to the last call; null for the best that works.</param>
    public static IntakeStop Begin(Socket listener, IntakeMethod? wanted)
    {
        ArgumentNullException.ThrowIfNull(listener);
        if (wanted == IntakeMethod.LastCall)
        {
            return new IntakeStop(IntakeMethod.LastCall, null);
        }

        if (!OperatingSystem.IsLinux())
        {
            return new IntakeStop(IntakeMethod.LastCall, "only Linux can keep newcomers out");
        }

        if (listener.AddressFamily is not (AddressFamily.InterNetwork or AddressFamily.InterNetworkV6))
        {
            return new IntakeStop(IntakeMethod.LastCall, "not a TCP socket");
        }

        Widen(listener);
        string? why = null;
        foreach (IntakeMethod method in (ReadOnlySpan<IntakeMethod>)[IntakeMethod.SynFilter, IntakeMethod.Unplug])
        {
            if (wanted is null || wanted == method)
            {
                string? refusal = Try(method, listener);
                if (refusal is null)
                {
                    return new IntakeStop(method, why);
                }

                why = why is null ? refusal : why + "; " + refusal;
            }
        }

        return new IntakeStop(IntakeMethod.LastCall, why);
    }

    /// <summary>Attaches the filter, which a socket that is no TCP listener never feels.</summary>
    /// <exception cref="SocketException">The kernel refuses.</exception>
    internal static void AttachFilter(Socket socket)
    {
        FilterProgram program = new((ushort)DropNewHandshakes.Length, Marshal.UnsafeAddrOfPinnedArrayElement(DropNewHandshakes, 0));
        socket.SetRawSocketOption(SolSocket, SoAttachFilter, MemoryMarshal.AsBytes(new ReadOnlySpan<FilterProgram>(in program)));
    }

    /// <summary>Null if the method is now in force, else why it is not.</summary>
    internal static string? Try(IntakeMethod method, Socket listener)
    {
        try
        {
            if (method == IntakeMethod.SynFilter)
            {
                AttachFilter(listener);
            }
            else
            {
                // A SYN looks for a listener on the interface it came in by, and finds none. The ACK that ends a handshake looks for its
                // own half-made connection, which remembers the listener and the interface of its SYN, and so does what becomes of it.
                listener.SetRawSocketOption(SolSocket, SoBindToIfIndex, MemoryMarshal.AsBytes([NoSuchInterface]));
            }

            return null;
        }
        catch (SocketException e)
        {
            return $"{method}: {e.Message}";
        }
        catch (ObjectDisposedException)
        {
            return $"{method}: the socket is already closed";
        }
    }

    private static FilterStep[] Pinned(params ReadOnlySpan<FilterStep> steps)
    {
        FilterStep[] pinned = GC.AllocateUninitializedArray<FilterStep>(steps.Length, pinned: true);
        steps.CopyTo(pinned);
        return pinned;
    }

    /// <summary>struct sock_filter: one instruction of the classic BPF machine.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private readonly record struct FilterStep(ushort Code, byte IfTrue, byte IfFalse, uint Operand);

    /// <summary>struct sock_fprog.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private readonly record struct FilterProgram(ushort Length, nint Steps);
}
