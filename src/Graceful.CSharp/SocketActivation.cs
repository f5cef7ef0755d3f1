using System.Globalization;
using System.Net.Sockets;
using Graceful.Posix;

namespace Graceful;

/// <summary>
/// The sockets that a service manager gave to this process: systemd's protocol, LISTEN_PID, LISTEN_FDS and LISTEN_FDNAMES. Kestrel serves from
/// them with <see cref="GracefulOptions.UseSocketActivation()"/>.
/// </summary>
public sealed class SocketActivation
{
    private const string NameOfTheNameless = "unknown";
    private const int MostDescriptors = 1 << 20;

    private static readonly Lazy<SocketActivation> OfThisProcess = new(ReadEnvironment);

    internal SocketActivation(IReadOnlyList<ActivatedSocket> sockets, Socket? connection = null)
    {
        Sockets = sockets;
        Connection = connection;
    }

    /// <summary>
    /// What was given to this process. The environment is read once, by the first who asks: the descriptors are then kept from children, and so are the
    /// three variables, also from children that native code starts. Any thread.
    /// </summary>
    /// <remarks>
    /// Without the variables, and when LISTEN_PID is another process, nothing was given to this one. Elsewhere than on Linux nothing ever is.
    /// </remarks>
    /// <exception cref="InvalidOperationException">
    /// A variable is malformed, the number of sockets or names is wrong, or one is no stream socket that listens (or, alone, is connected). The message says which one, what it is and
    /// what is allowed. Whoever asks again gets the same.
    /// </exception>
    public static SocketActivation Current => OfThisProcess.Value;

    /// <summary>The listening sockets, in the order in which they were given; empty when none were.</summary>
    public IReadOnlyList<ActivatedSocket> Sockets { get; }

    /// <summary>The one connection that was accepted for this process (<c>Accept=yes</c>).</summary>
    internal Socket? Connection { get; }

    /// <summary>The sockets of a name, in the order in which they were given.</summary>
    /// <param name="name">The name; upper and lower case count.</param>
    /// <returns>As many as have it; empty when none has.</returns>
    /// <exception cref="ArgumentNullException">The name is null.</exception>
    public IReadOnlyList<ActivatedSocket> Named(string name)
    {
        ArgumentNullException.ThrowIfNull(name);
        return [.. Sockets.Where(socket => socket.Name == name)];
    }

    /// <param name="pid">LISTEN_PID.</param>
    /// <param name="count">LISTEN_FDS.</param>
    /// <param name="names">LISTEN_FDNAMES.</param>
    /// <param name="first">The descriptor of the first socket.</param>
    internal static SocketActivation Read(string? pid, string? count, string? names, int first)
    {
        if (string.IsNullOrEmpty(pid) || string.IsNullOrEmpty(count) || !OperatingSystem.IsLinux())
        {
            return new SocketActivation([]);
        }

        if (Number(pid, int.MaxValue) is not { } owner)
        {
            throw new InvalidOperationException($"LISTEN_PID is '{pid}'; allowed is the number of a process.");
        }

        if (owner != Environment.ProcessId)
        {
            return new SocketActivation([]);
        }

        if (Number(count, MostDescriptors) is not { } given)
        {
            throw new InvalidOperationException($"LISTEN_FDS is '{count}'; allowed is a number of sockets from 0 to {MostDescriptors}.");
        }

        var called = names?.Split(':') ?? [.. Enumerable.Repeat(NameOfTheNameless, given)];
        if (called.Length != given && given > 0)
        {
            throw new InvalidOperationException($"LISTEN_FDNAMES is '{names}', {called.Length} names, but LISTEN_FDS is {given}; allowed is one name for each socket, with colons between them.");
        }

        Keep(first, given);
        var sockets = new List<ActivatedSocket>(given);
        for (var index = 0; index < given; index++)
        {
            var (descriptor, name) = (first + index, called[index]);
            var socket = SocketKind.Stream(descriptor, owned: false, out var what);
            if (socket is not null && SocketKind.Listens(socket))
            {
                sockets.Add(new ActivatedSocket(name, descriptor, socket));
            }
            else if (socket is not null && given == 1 && SocketKind.IsOrWasConnected(socket))
            {
                return new SocketActivation([], SocketKind.Stream(descriptor, owned: true, out _));
            }
            else
            {
                throw new InvalidOperationException(
                    $"LISTEN_FDS is {given}, but the descriptor {descriptor} ('{name}') {what ?? "does not listen"}; allowed are stream sockets that listen, TCP or Unix, or one alone that is connected (Accept=yes).");
            }
        }

        return new SocketActivation(sockets);
    }

    private static SocketActivation ReadEnvironment()
    {
        // Newer managers name the process a second way. Its number says enough: it is our own, and we live.
        _ = Take("LISTEN_PIDFDID");
        return Read(Take("LISTEN_PID"), Take("LISTEN_FDS"), Take("LISTEN_FDNAMES"), Descriptor.FirstFree);

        static string? Take(string name)
        {
            var value = Environment.GetEnvironmentVariable(name);
            Environment.SetEnvironmentVariable(name, null);
            if (value is not null && OperatingSystem.IsLinux())
            {
                NativeEnvironment.Unset(name);
            }

            return value;
        }
    }

    private static void Keep(int first, int given)
    {
        for (var descriptor = first; descriptor < first + given; descriptor++)
        {
            // What came through the exec was not closed by it. The runtime's own descriptors are, and among them is a socket that listens.
            if (Descriptor.IsInherited(descriptor) is not true)
            {
                throw new InvalidOperationException(
                    $"LISTEN_FDS is {given}, but the descriptor {descriptor} was not given to this process; allowed is the number of sockets that were, from descriptor {first} on.");
            }
        }

        for (var descriptor = first; descriptor < first + given; descriptor++)
        {
            Descriptor.KeepFromChildren(descriptor);
        }
    }

    private static int? Number(string text, int most) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number <= most ? number : null;
}
