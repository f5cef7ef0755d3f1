using System.Net;
using System.Net.Sockets;

namespace Graceful.Tests.Processes;

/// <summary>A child whose listener can't accept, until it is told to close it.</summary>
internal static class ChildListener
{
    public const string Kind = "server-listener-fails";

    public static async Task<int> RunAsync()
    {
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        socket.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        socket.Listen();
        SystemCalls.FailAccept(socket.Handle);
        AppDomain.CurrentDomain.FirstChanceException += static (_, e) =>
        {
            if (e.Exception is SocketException)
            {
                Say("TROUBLE");
            }
        };
        await using var listener = new GracefulListener(socket, ConnectionMode.Automatic);
        var reading = Task.Run(Console.In.ReadLine);
        var accepting = listener.AcceptAsync();
        Say($"LISTENING {((IPEndPoint)listener.LocalEndPoint).Port}");
        await reading;
        await listener.CloseAsync();
        return await accepting is null ? 0 : 1;
    }

    private static void Say(string line)
    {
        Console.WriteLine(line);
        Console.Out.Flush();
    }
}
