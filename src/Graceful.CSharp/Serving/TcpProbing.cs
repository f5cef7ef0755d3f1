using System.Net;
using System.Net.Sockets;
using Graceful.Sockets;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Connections.Features;

namespace Graceful.Serving;

/// <summary>Has the kernel ask a client that has long been silent whether it is still there.</summary>
internal static class TcpProbing
{
    /// <summary>What Linux takes at most: some nine hours.</summary>
    public static readonly TimeSpan Most = TimeSpan.FromSeconds(32767);

    public static void Use(IConnectionBuilder connections, TimeSpan interval) => connections.Use(next => connection =>
    {
        if (connection.Features.Get<IConnectionSocketFeature>()?.Socket is { } socket && connection.LocalEndPoint is IPEndPoint)
        {
            Set(socket, interval);
        }

        return next(connection);
    });

    /// <summary>Never throws.</summary>
    public static void Set(Socket socket, TimeSpan interval)
    {
        var seconds = (int)interval.TotalSeconds;

        // Where the system keeps times of its own they stay.
        socket.UnlessGone(socket =>
        {
            socket.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.KeepAlive, true);
            socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveTime, seconds);
            socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveInterval, seconds);
        });
    }
}
