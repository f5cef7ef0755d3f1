using System.Net;
using System.Net.Sockets;
using Graceful.Tests.RawSockets;

namespace Graceful.Tests.Processes;

/// <summary>A child whose listener runs out of descriptors, until it is told to go on.</summary>
internal static class ChildListener
{
    public const string Kind = "server-out-of-files";

    public static async Task<int> RunAsync()
    {
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        socket.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        socket.Listen();
        await using var listener = new GracefulListener(socket, ConnectionMode.Automatic);
        AppDomain.CurrentDomain.FirstChanceException += static (_, e) =>
        {
            if (e.Exception is SocketException { SocketErrorCode: SocketError.TooManyOpenSockets })
            {
                Say("TROUBLE");
            }
        };
        var reading = Task.Run(Console.In.ReadLine);
        var accepting = listener.AcceptAsync();
        ManyFiles.Lower();
        Say($"LISTENING {((IPEndPoint)listener.LocalEndPoint).Port}");
        await reading;
        ManyFiles.Restore();
        await using var connection = (await accepting)!;
        await connection.SayAsync(await connection.HearAsync());
        return 0;
    }

    private static void Say(string line)
    {
        Console.WriteLine(line);
        Console.Out.Flush();
    }
}
