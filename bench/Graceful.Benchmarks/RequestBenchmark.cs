using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Graceful.Benchmarks;

/// <summary>
/// A request over loopback to a plain server and to a graceful one in this very process: processor time (the client's
/// included, which is the same for both) and bytes allocated. Pipelined, so that the server's own work stands out from
/// the system calls; over a real network the difference is a smaller part of the whole.
/// </summary>
internal static class RequestBenchmark
{
    private const int Depth = 32;
    private const int Batches = 2_000;
    private const int Requests = Depth * Batches;

    /// <summary>What the runtime allocates now and then by itself, spread over the requests of a slice.</summary>
    private const double AllocationNoise = 0.5;

    public static async Task<bool> RunAsync(int rounds)
    {
        Console.WriteLine(FormattableString.Invariant($"A request, {rounds} rounds of {Requests:N0}, {Depth} pipelined, plain and graceful in turn, medians:"));
        await using var plain = await StartAsync(graceful: false).ConfigureAwait(false);
        await using var graceful = await StartAsync(graceful: true).ConfigureAwait(false);
        using var toPlain = Connect(plain);
        using var toGraceful = Connect(graceful);
        for (var i = 0; i < 10; i++)
        {
            Slice(toPlain);
            Slice(toGraceful);
        }

        var figures = new (Cost Plain, Cost Graceful)[rounds];
        for (var round = 0; round < rounds; round++)
        {
            var first = round % 2 == 0;
            var one = Slice(first ? toPlain : toGraceful);
            var other = Slice(first ? toGraceful : toPlain);
            figures[round] = first ? (one, other) : (other, one);
        }

        var time = (Plain: Figures.Median(figures.Select(f => f.Plain.Nanoseconds)), Graceful: Figures.Median(figures.Select(f => f.Graceful.Nanoseconds)));
        var bytes = (Plain: Figures.Median(figures.Select(f => f.Plain.Bytes)), Graceful: Figures.Median(figures.Select(f => f.Graceful.Bytes)));
        var good = bytes.Graceful - bytes.Plain < AllocationNoise;
        Console.WriteLine(FormattableString.Invariant(
            $"  processor time    plain {time.Plain,7:0} ns   graceful {time.Graceful,7:0} ns   {time.Graceful - time.Plain:+0;-0} ns, in pairs {Figures.Median(figures.Select(f => f.Graceful.Nanoseconds / f.Plain.Nanoseconds)):0.000} of plain"));
        Console.WriteLine(FormattableString.Invariant(
            $"  allocated         plain {bytes.Plain,7:0.00} B    graceful {bytes.Graceful,7:0.00} B    {(good ? "as promised" : "NOT as promised")}"));
        return good;
    }

    private readonly record struct Cost(double Nanoseconds, double Bytes);

    private static async Task<WebApplication> StartAsync(bool graceful)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        if (graceful)
        {
            builder.AddGraceful();
        }

        var app = builder.Build();
        var ok = "ok"u8.ToArray();
        app.Run(context =>
        {
            context.Response.ContentLength = 2;
            return context.Response.Body.WriteAsync(ok, 0, 2);
        });
        await app.StartAsync().ConfigureAwait(false);
        return app;
    }

    private static Socket Connect(WebApplication app)
    {
        var address = app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First();
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        socket.Connect(IPAddress.Loopback, new Uri(address).Port);
        return socket;
    }

    private static Cost Slice(Socket socket)
    {
        var request = Encoding.ASCII.GetBytes(string.Concat(Enumerable.Repeat("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", Depth)));
        var buffer = new byte[64 * 1024];
        var length = AnswerLength(socket, buffer);
        using var self = Process.GetCurrentProcess();
        var bytes = GC.GetTotalAllocatedBytes(precise: true);
        self.Refresh();
        var time = self.TotalProcessorTime;
        for (var batch = 0; batch < Batches; batch++)
        {
            socket.Send(request);
            for (var left = length * Depth; left > 0;)
            {
                left -= socket.Receive(buffer);
            }
        }

        self.Refresh();
        var spent = self.TotalProcessorTime - time;
        return new Cost(spent.TotalNanoseconds / Requests, (double)(GC.GetTotalAllocatedBytes(precise: true) - bytes) / Requests);
    }

    /// <summary>All answers have the same length: the date's never changes.</summary>
    private static int AnswerLength(Socket socket, byte[] buffer)
    {
        socket.Send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"u8);
        var length = socket.Receive(buffer);
        return Encoding.ASCII.GetString(buffer, 0, length).EndsWith("ok", StringComparison.Ordinal)
            ? length
            : throw new InvalidOperationException(string.Create(CultureInfo.InvariantCulture, $"An answer of {length} bytes came in pieces."));
    }
}
