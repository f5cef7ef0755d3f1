using System.Net;
using System.Net.Sockets;

namespace Graceful.Tests.Servers;

/// <summary>Listening sockets that are the tests'.</summary>
internal static class Sockets
{
    public static Socket Listening()
    {
        var listener = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        listener.Listen(512);
        return listener;
    }

    public static int Port(this Socket listener) => ((IPEndPoint)listener.LocalEndPoint!).Port;
}
