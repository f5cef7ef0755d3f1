// A protocol of its own over raw sockets: each line is answered in capitals, and "wait 500" after so many milliseconds.
//   LineServer PORT           listens at the loopback address
//   LineServer --activated    serves from the sockets of the service manager, and leaves them to it
//   LineServer --accepted     serves one connection, which inetd or Accept=yes has accepted, and leaves with it
// On SIGTERM, SIGINT and SIGQUIT every line that was sent is answered, and then the connections end.
using System.Net;
using System.Net.Sockets;
using Graceful;
using LineServer;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

// First of all: where standard input is the connection, standard output is no place for a log.
Func<IGraceful, GracefulListener>[] listeners = args switch
{
    ["--accepted"] => [Accepted(AcceptedConnection.Current)],
    ["--activated"] => [.. SocketActivation.Current.Sockets.Select(static given => Listening(given.Socket, isShared: true))],
    [var port] => [Listening(Bound(port), isShared: false)],
    _ => [],
};
if (listeners.Length == 0)
{
    Console.Error.WriteLine("Usage: LineServer PORT | --accepted | --activated, and then by a service manager that gives sockets");
    return 64;
}

var builder = Host.CreateApplicationBuilder();
builder.AddGraceful();
foreach (var listen in listeners)
{
    builder.Services.AddSingleton<IHostedService>(services => new LineService(listen(services.GetRequiredService<IGraceful>())));
}

await builder.Build().RunAsync();
return Environment.ExitCode;

static Func<IGraceful, GracefulListener> Accepted(AcceptedConnection connection) =>
    graceful => new GracefulListener(connection, ConnectionMode.Deadline, graceful);

static Func<IGraceful, GracefulListener> Listening(Socket socket, bool isShared) =>
    graceful => new GracefulListener(socket, ConnectionMode.Deadline, graceful, new GracefulListenerOptions { IsShared = isShared });

static Socket Bound(string port)
{
    var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
    socket.Bind(IPEndPoint.Parse($"127.0.0.1:{port}"));
    socket.Listen(int.MaxValue);
    return socket;
}
