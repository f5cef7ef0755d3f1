// Serves, and on SIGUSR1 closes cleanly, opens its log anew, and serves again; SIGTERM, SIGINT and SIGQUIT end it.
//   ServeAgain PORT LOG
// Rotate the log with: mv LOG LOG.1 && kill -USR1 PID
using System.Net;
using System.Net.Sockets;
using Graceful;
using Microsoft.AspNetCore.Http;

if (args is not [var port, var path])
{
    Console.Error.WriteLine("Usage: ServeAgain PORT LOG");
    return 64;
}

// One socket for all turns: who connects between two of them waits in its queue, and nobody is refused.
using var listener = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
listener.Bind(IPEndPoint.Parse($"127.0.0.1:{port}"));
listener.Listen(int.MaxValue);

await using var server = new GracefulServer().CloseOnSignals("SIGUSR1", "SIGTERM", "SIGINT", "SIGQUIT");

// It is this process's alone, so newcomers may be kept out of it when it closes for good.
server.Configure(options => options.Intake = IntakeMethod.Unplug);
Console.WriteLine($"Listening on {listener.LocalEndPoint}");
while (true)
{
    await using var file = new StreamWriter(path, append: true) { AutoFlush = true };
    var log = TextWriter.Synchronized(file);
    server.Handler = context =>
    {
        log.WriteLine($"{context.Request.Method} {context.Request.Path}");
        return context.Response.WriteAsync("ok");
    };
    var report = await server.ServeAsync(listener, keep: reason => reason.ToString() == "SIGUSR1");
    log.WriteLine(report);
    if (server.SignalReceived != "SIGUSR1")
    {
        return report.ExitCode;
    }
}
