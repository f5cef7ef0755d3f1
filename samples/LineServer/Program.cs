// A protocol of its own over raw sockets: each line is answered in capitals, and "wait 500" after so many milliseconds.
//   LineServer PORT
// On SIGTERM, SIGINT and SIGQUIT every line that was sent is answered, and then the connections end.
using System.Net;
using System.Net.Sockets;
using Graceful;
using LineServer;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

if (args is not [var port])
{
    Console.Error.WriteLine("Usage: LineServer PORT");
    return 64;
}

using var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
socket.Bind(IPEndPoint.Parse($"127.0.0.1:{port}"));
socket.Listen(int.MaxValue);

var builder = Host.CreateApplicationBuilder();
builder.AddGraceful();
builder.Services.AddHostedService(services => new LineService(socket, services.GetRequiredService<IGraceful>()));
await builder.Build().RunAsync();
return Environment.ExitCode;
