using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace Graceful.Probe;

internal static class FreePort
{
    private const int Attempts = 200;
    private const int Lowest = 10_240;

    // A port that nobody listens on, outside of the range that the kernel gives to clients: otherwise one of our own
    // connections from an earlier run could stand in the way of a server that binds to all addresses.
    public static int Find()
    {
        int below = ClientPortsFrom();
        for (int i = 0; below > Lowest + 1000 && i < Attempts; i++)
        {
            int port = Random.Shared.Next(Lowest, below);
            if (IsFree(IPAddress.Any, port))
            {
                return port;
            }
        }
        using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        socket.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        return ((IPEndPoint)socket.LocalEndPoint!).Port;
    }

    // Bound for a moment, never listened on.
    private static bool IsFree(IPAddress address, int port)
    {
        try
        {
            using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
            socket.Bind(new IPEndPoint(address, port));
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }

    private static int ClientPortsFrom()
    {
        try
        {
            string range = File.ReadAllText("/proc/sys/net/ipv4/ip_local_port_range");
            return int.Parse(range.Split('\t', ' ')[0], CultureInfo.InvariantCulture);
        }
        catch (Exception e) when (e is IOException or FormatException or UnauthorizedAccessException)
        {
            return 32_768;
        }
    }
}
