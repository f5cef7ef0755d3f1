using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Graceful.Tests.RawSockets;

namespace Graceful.Tests.Processes;

/// <summary>
/// A child that is a crowd of clients, because one process may not have descriptors enough for both ends. It says which ports they have,
/// and of each what it got: its port, its ending and the text before that. Whoever is asked with a question mark answers.
/// </summary>
internal static class ChildCrowd
{
    public const string Kind = "crowd";

    /// <param name="options">The server's port; how many clients; each how-manieth of them says nothing, the others an x.</param>
    public static async Task<int> RunAsync(string[] options)
    {
        var (port, count, silent) = (Number(options[0]), Number(options[1]), Number(options[2]));
        _ = ManyFiles.Raise(count + 100);
        var (ports, lives) = (new List<int>(), new List<Task>());
        for (var i = 0; i < count; i++)
        {
            var client = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            await client.ConnectAsync(IPAddress.Loopback, port);
            var own = ((IPEndPoint)client.LocalEndPoint!).Port;
            ports.Add(own);
            if (i % silent != 0)
            {
                await client.SendAsync("x"u8.ToArray());
            }

            lives.Add(LiveAsync(client, own));
        }

        Say($"PORTS {string.Join(' ', ports)}");
        await Task.WhenAll(lives);
        Say("ENDED");
        return 0;
    }

    private static int Number(string text) => int.Parse(text, CultureInfo.InvariantCulture);

    private static async Task LiveAsync(Socket client, int own)
    {
        var (text, buffer, ending) = (new StringBuilder(), new byte[16], "end");
        try
        {
            while (await client.ReceiveAsync(buffer) is > 0 and var bytes)
            {
                text.Append(Encoding.ASCII.GetString(buffer, 0, bytes));
                if (buffer[bytes - 1] == '?')
                {
                    await client.SendAsync("!"u8.ToArray());
                }
            }
        }
        catch (SocketException e)
        {
            ending = e.SocketErrorCode.ToString();
        }

        client.Dispose();
        Say($"GOT {own} {ending} {text}");
    }

    private static void Say(string line)
    {
        Console.WriteLine(line);
        Console.Out.Flush();
    }
}
