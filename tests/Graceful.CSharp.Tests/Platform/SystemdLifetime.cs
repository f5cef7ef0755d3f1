using System.Net.Sockets;
using System.Runtime.InteropServices;
using System.Text;

// The name by which the package's own is known.
namespace Microsoft.Extensions.Hosting.Systemd;

/// <summary>
/// Does what the lifetime of Microsoft.Extensions.Hosting.Systemd does: READY and STOPPING in datagrams of their own, and a
/// SIGTERM that stops the host. The package itself is not to be had from every feed.
/// </summary>
internal sealed class SystemdLifetime(IHostApplicationLifetime application) : IHostLifetime, IDisposable
{
    private PosixSignalRegistration? _signal;

    public Task WaitForStartAsync(CancellationToken cancellationToken)
    {
        application.ApplicationStarted.Register(() => Notify("READY=1"));
        application.ApplicationStopping.Register(() => Notify("STOPPING=1"));
        _signal = PosixSignalRegistration.Create(PosixSignal.SIGTERM, context =>
        {
            context.Cancel = true;
            application.StopApplication();
        });
        return Task.CompletedTask;
    }

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public void Dispose() => _signal?.Dispose();

    private static void Notify(string state)
    {
        using var socket = new Socket(AddressFamily.Unix, SocketType.Dgram, ProtocolType.Unspecified);
        socket.Connect(new UnixDomainSocketEndPoint(Environment.GetEnvironmentVariable("NOTIFY_SOCKET")!.Replace('@', '\0')));
        socket.Send(Encoding.UTF8.GetBytes(state));
    }
}
