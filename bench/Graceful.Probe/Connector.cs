using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;

namespace Graceful.Probe;

// Connects to the server under test as the plan says, and says what it means when that fails.
internal sealed class Connector(LoadPlan plan, byte source)
{
    // Any certificate is taken: the probe tests manners, not identity.
#pragma warning disable CA5359
    public static SslClientAuthenticationOptions Tls { get; } = new()
    {
        TargetHost = "localhost",
        RemoteCertificateValidationCallback = (_, _, _, _) => true,
    };
#pragma warning restore CA5359

    // What a failure means for the request that was to be sent: null when it is the probe's own trouble.
    public static Outcome? Meaning(Exception failure, bool connected) => failure switch
    {
        OperationCanceledException => connected ? Outcome.Unanswered : Outcome.ConnectTimeout,
        // A connection that completed and was cut during the TLS handshake is a lost one: the client had begun.
        IOException or AuthenticationException or SocketException when connected => Outcome.LostNew,
        SocketException socket => socket.SocketErrorCode switch
        {
            SocketError.ConnectionRefused => Outcome.Refused,
            SocketError.TimedOut => Outcome.ConnectTimeout,
            SocketError.ConnectionReset => Outcome.LostNew,
            _ => null,
        },
        _ => null,
    };

    public async Task<Socket> ConnectAsync(CancellationToken token)
    {
        Socket socket = plan.UnixPath is null ? OfTcp() : new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            if (plan.UnixPath is string path)
            {
                await ConnectUnixAsync(socket, path, token);
            }
            else
            {
                await socket.ConnectAsync(new IPEndPoint(IPAddress.Loopback, plan.Port), token);
            }
            return socket;
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    public async Task<Stream> OpenAsync(Socket socket, CancellationToken token)
    {
        var plain = new NetworkStream(socket, ownsSocket: false);
        if (!plan.Tls)
        {
            return plain;
        }
        var secure = new SslStream(plain);
        try
        {
            await secure.AuthenticateAsClientAsync(Tls, token);
            return secure;
        }
        catch
        {
            await secure.DisposeAsync();
            throw;
        }
    }

    // No file is as good as nobody who listens. A full queue says EAGAIN, for which there is no event to wait for.
    private static async Task ConnectUnixAsync(Socket socket, string path, CancellationToken token)
    {
        while (true)
        {
            try
            {
                await socket.ConnectAsync(new UnixDomainSocketEndPoint(path), token);
                return;
            }
            catch (SocketException e) when (e.SocketErrorCode is SocketError.AddressNotAvailable)
            {
                throw new SocketException((int)SocketError.ConnectionRefused);
            }
            catch (SocketException e) when (e.SocketErrorCode is SocketError.WouldBlock or SocketError.TryAgain)
            {
                await Task.Delay(1, token);
            }
        }
    }

    private Socket OfTcp()
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        // The port is chosen at connect, when the kernel knows the whole pair of addresses and can share ports between pairs.
        socket.SetRawSocketOption(Libc.IPPROTO_IP, Libc.IP_BIND_ADDRESS_NO_PORT, BitConverter.GetBytes(1));
        socket.Bind(new IPEndPoint(new IPAddress([127, 0, 0, source]), 0));
        return socket;
    }
}
