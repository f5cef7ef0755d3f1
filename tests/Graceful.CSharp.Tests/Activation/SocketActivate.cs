using System.Net;
using System.Net.Sockets;
using System.Text.RegularExpressions;
using Graceful.Tests.Processes;
using Graceful.Tests.Support;

namespace Graceful.Tests.Activation;

/// <summary>The real systemd-socket-activate, which becomes the server when the first client comes, or starts one for each (<c>--accept</c>).</summary>
internal sealed partial class SocketActivate : IDisposable
{
    private SocketActivate(Child process, IReadOnlyList<EndPoint> addresses)
    {
        Process = process;
        Addresses = addresses;
    }

    public Child Process { get; }

    /// <summary>Where it listens, in the order of its options.</summary>
    public IReadOnlyList<EndPoint> Addresses { get; }

    /// <summary>The sample.</summary>
    public static string[] Sample(params string[] options) => ["dotnet", Path.Combine(AppContext.BaseDirectory, "Activated.dll"), .. options];

    /// <summary>One of the children that this program is.</summary>
    public static string[] Kind(string kind, params string[] options) => ["dotnet", typeof(SocketActivate).Assembly.Location, "serve", kind, .. options];

    /// <param name="listen">Where to listen: an address with port 0, a path, an abstract name.</param>
    /// <param name="server">The server's command.</param>
    /// <param name="options">More options.</param>
    public static async Task<SocketActivate> StartAsync(string[] listen, string[] server, params string[] options)
    {
        while (true)
        {
            // It knows no port 0; so a port is looked for, and if somebody else is faster, another one.
            string[] addresses = [.. listen.Select(address => address.EndsWith(":0", StringComparison.Ordinal) ? FreeAddress(address) : address)];
            var process = Child.StartProgram("systemd-socket-activate", [.. addresses.SelectMany(address => new[] { "-l", address }), .. options, .. server]);
            await Limits.Until(() => Listening().Count(process.Output) == listen.Length || process.HasExited, "it listens");
            if (!process.HasExited)
            {
                return new SocketActivate(process, [.. Listening().Matches(process.Output).Select(match => Parse(match.Groups[1].Value))]);
            }

            await process.ExitAsync();
            Assert.Contains("Address already in use", process.Output, StringComparison.Ordinal);
            process.Dispose();
        }
    }

    public Task<RawClient> ConnectAsync(int index = 0) => RawClient.ConnectAsync(Addresses[index]);

    /// <summary>Has the server leave, and waits for its end.</summary>
    public async Task<int> LeaveAsync()
    {
        Process.Kill(Signal.Terminate);
        return await Process.ExitAsync();
    }

    public void Dispose() => Process.Dispose();

    private static string FreeAddress(string address)
    {
        var any = IPEndPoint.Parse(address);
        using var socket = new Socket(any.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        socket.Bind(any);
        return $"{socket.LocalEndPoint}";
    }

    private static EndPoint Parse(string address) =>
        address[0] == '@' ? new UnixDomainSocketEndPoint('\0' + address[1..])
        : address[0] == '/' ? new UnixDomainSocketEndPoint(address)
        : IPEndPoint.Parse(address);

    [GeneratedRegex(@"^Listening on (\S+) as \d+\.$", RegexOptions.Multiline)]
    private static partial Regex Listening();
}
