using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Microsoft.AspNetCore.Http;

namespace Graceful.Tests.Processes;

/// <summary>As <see cref="ChildServer"/>, with a <see cref="GracefulServer"/> that serves again after each SIGUSR1.</summary>
internal static class ChildGracefulServer
{
    /// <summary>The beginning of the kinds that are these.</summary>
    public const string Prefix = "server";

    /// <summary>What Main returns, whatever happened: nobody but Main sets the exit code.</summary>
    public const int OwnCode = 7;

    public static async Task<int> RunAsync(string kind)
    {
        if (kind == ChildListener.Kind)
        {
            return await ChildListener.RunAsync();
        }

        if (kind is "server-accept-fails" or "server-nodelay-fails")
        {
            return await ServeTheTroubledAsync(kind);
        }

        await using var server = new GracefulServer("127.0.0.1:0", AnswerAsync);
        await using var second = new GracefulServer("127.0.0.1:0", AnswerAsync);
        var beside = Task.CompletedTask;
        switch (kind)
        {
            case "server-without-signals":
                break;
            case "server-default-signals":
                server.CloseOnSignals();
                break;
            case "server-pair":
                server.CloseOnSignals("TERM");
                beside = ServeAsync(second.CloseOnSignals("TERM"), "SECOND");
                break;
            default:
                server.CloseOnSignals("USR1", "TERM", "SIGFOO");
                break;
        }

        if (kind == "server-not-yet")
        {
            Say("READY");
            await Console.In.ReadLineAsync();
        }

        do
        {
            await ServeAsync(server, "LISTENING");
        }
        while (server.SignalReceived == "SIGUSR1");
        await beside;
        return OwnCode;
    }

    /// <summary>Serves from a socket of its own, and has the system make trouble.</summary>
    private static async Task<int> ServeTheTroubledAsync(string kind)
    {
        using var listener = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        listener.Listen(16);
        if (kind == "server-accept-fails")
        {
            SystemCalls.FailAccept(listener.Handle);
            AppDomain.CurrentDomain.FirstChanceException += static (_, e) =>
            {
                if (e.Exception is SocketException)
                {
                    Say("TROUBLE");
                }
            };
        }
        else
        {
            SystemCalls.FailNoDelay();
        }

        await using var server = new GracefulServer { Handler = AnswerAsync }.CloseOnSignals("TERM");
        await ServeAsync(server, "LISTENING", server.ServeAsync(listener, keep: _ => true));
        return OwnCode;
    }

    private static Task ServeAsync(GracefulServer server, string word) => ServeAsync(server, word, server.ListenAndServeAsync());

    private static async Task ServeAsync(GracefulServer server, string word, Task<ShutdownReport> serving)
    {
        await server.Started;
        Say($"{word} {BindingAddress.Parse(server.Addresses[0]).Port}");
        var report = await serving;
        Say($"{word} ENDED by {server.SignalReceived} with {report.ExitCode}, the process with {Environment.ExitCode}");
    }

    private static async Task AnswerAsync(HttpContext context)
    {
        if (int.TryParse(context.Request.Query["ms"], CultureInfo.InvariantCulture, out var ms))
        {
            Say("SLOW");
            await Task.Delay(ms, context.RequestAborted);
        }

        await context.Response.WriteAsync("ok");
    }

    private static void Say(string word)
    {
        Console.Out.WriteLine(word);
        Console.Out.Flush();
    }
}
