using System.Net;
using System.Net.Sockets;
using Microsoft.AspNetCore.Server.Kestrel.Transport.Sockets;

namespace Graceful.Kestrel;

/// <summary>What the options of Kestrel's own transport mean for sockets that were given.</summary>
internal static class GivenTransport
{
    public static SocketConnectionFactoryOptions Of(SocketTransportOptions transport) => new()
    {
        IOQueueCount = transport.IOQueueCount,
        WaitForDataBeforeAllocatingBuffer = transport.WaitForDataBeforeAllocatingBuffer,
        MaxReadBufferSize = transport.MaxReadBufferSize,
        MaxWriteBufferSize = transport.MaxWriteBufferSize,
        UnsafePreferInlineScheduling = transport.UnsafePreferInlineScheduling,
    };

    /// <summary>False when the client went already.</summary>
    public static bool TryPrepare(Socket accepted, EndPoint endpoint, SocketTransportOptions transport)
    {
        try
        {
            if (endpoint is IPEndPoint)
            {
                accepted.NoDelay = transport.NoDelay;
            }

            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }
}
