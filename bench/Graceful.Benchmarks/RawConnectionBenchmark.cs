using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Runtime.CompilerServices;

namespace Graceful.Benchmarks;

/// <summary>
/// What a raw connection costs: a pair of marks; an echo over loopback against a bare NetworkStream, both in this very process and in
/// turn; and how soon a drain ends after the last one left.
/// </summary>
internal static class RawConnectionBenchmark
{
    /// <summary>Few, so that most slices end before anybody else gets the processor.</summary>
    private const int Pairs = 2_000;
    private const int SlicesARound = 100;

    /// <summary>How often what is measured is run and let rest, so that it is compiled for good.</summary>
    private const int CompilerWaves = 4;
    private const int Echoes = 100;
    private const int Length = 64;
    private const double MostNanoseconds = 20;
    private const double LeastRatio = 0.98;

    private static PaddedWord _word;

    public static async Task<bool> RunAsync(int rounds)
    {
        var marks = await MarksAsync(rounds).ConfigureAwait(false);
        var echo = await EchoAsync(rounds * SlicesARound / 4).ConfigureAwait(false);
        return await DrainsAsync(rounds).ConfigureAwait(false) && marks && echo;
    }

    private static async Task<bool> MarksAsync(int rounds)
    {
        await using var listener = new GracefulListener(Listening(), ConnectionMode.Manual);
        var (server, client) = await PairAsync(listener).ConfigureAwait(false);
        await using var _ = server;
        using var __ = client;
        for (var wave = 0; wave < CompilerWaves; wave++)
        {
            // The compiler waits for a tenth of a second without news before it does better what runs often.
            await Task.Delay(TimeSpan.FromMilliseconds(300)).ConfigureAwait(false);
            for (var i = 0; i < 500; i++)
            {
                Mark(server, Pairs / 10);
                ConnectionStepBenchmark.Bare(ref _word, Pairs / 10);
            }
        }

        var times = new double[rounds * SlicesARound];
        var bare = new double[times.Length];
        var allocated = 0L;
        for (var round = 0; round < times.Length; round++)
        {
            var start = Stopwatch.GetTimestamp();
            allocated += Allocated(server);
            times[round] = Stopwatch.GetElapsedTime(start).TotalNanoseconds / Pairs;
            start = Stopwatch.GetTimestamp();
            ConnectionStepBenchmark.Bare(ref _word, Pairs);
            bare[round] = Stopwatch.GetElapsedTime(start).TotalNanoseconds / Pairs;
        }

        var time = Figures.Median(times);
        var good = time <= MostNanoseconds && allocated == 0;
        Console.WriteLine(FormattableString.Invariant(
            $"MarkInUse and MarkIdle, {times.Length} rounds of {Pairs:N0} pairs, median: {time:0.00} ns (at most {MostNanoseconds:0}; two bare CompareExchange in turn {Figures.Median(bare):0.00} ns)   {allocated} B allocated   {(good ? "as promised" : "NOT as promised")}"));
        return good;
    }

    private static async Task<bool> EchoAsync(int rounds)
    {
        using var plainSocket = Listening();
        using var toPlain = Connect(plainSocket.LocalEndPoint!);
        var plain = ServePlainAsync(new NetworkStream(await plainSocket.AcceptAsync().ConfigureAwait(false), ownsSocket: true));
        await using var listener = new GracefulListener(Listening(), ConnectionMode.Automatic);
        var (server, toGraceful) = await PairAsync(listener).ConfigureAwait(false);
        var graceful = ServeGracefulAsync(server);
        for (var i = 0; i < 300; i++)
        {
            Slice(toPlain);
            Slice(toGraceful);
        }

        var figures = new (double Plain, double Graceful)[rounds];
        for (var round = 0; round < rounds; round++)
        {
            var first = round % 2 == 0;
            var one = Slice(first ? toPlain : toGraceful);
            var other = Slice(first ? toGraceful : toPlain);
            figures[round] = first ? (one, other) : (other, one);
        }

        toPlain.Dispose();
        toGraceful.Dispose();
        await Task.WhenAll(plain, graceful).ConfigureAwait(false);
        var ratio = Figures.Median(figures.Select(f => f.Graceful / f.Plain));
        Console.WriteLine(FormattableString.Invariant(
            $"Echo of {Length} bytes, {rounds} rounds of {Echoes:N0}, medians: NetworkStream {Figures.Median(figures.Select(f => f.Plain)):N0}/s   GracefulConnection {Figures.Median(figures.Select(f => f.Graceful)):N0}/s   in pairs {ratio:0.000} (at least {LeastRatio:0.00})   {(ratio >= LeastRatio ? "as promised" : "NOT as promised")}"));
        return ratio >= LeastRatio;
    }

    private static async Task<bool> DrainsAsync(int rounds)
    {
        var times = new double[rounds];
        for (var round = 0; round < rounds; round++)
        {
            await using var listener = new GracefulListener(Listening(), ConnectionMode.Manual);
            var (server, client) = await PairAsync(listener).ConfigureAwait(false);
            server.MarkInUse();
            var ended = listener.DrainAsync().ContinueWith(
                static _ => Stopwatch.GetTimestamp(), CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
            while (!server.IsRetiring)
            {
                await Task.Delay(1).ConfigureAwait(false);
            }

            server.MarkIdle();
            var left = Stopwatch.GetTimestamp();
            times[round] = Stopwatch.GetElapsedTime(left, await ended.ConfigureAwait(false)).TotalMicroseconds;
            client.Dispose();
        }

        var median = Figures.Median(times);
        Console.WriteLine(FormattableString.Invariant(
            $"End of a drain after the last one left, {rounds} drains: median {median:0} us, most {times.Max():0} us (at most 1,000)   {(median <= 1000 ? "as promised" : "NOT as promised")}"));
        return median <= 1000;
    }

    // By itself, for the runtime allocates where it replaces a loop that runs long, as the one over the rounds is.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static long Allocated(GracefulConnection connection)
    {
        var before = GC.GetAllocatedBytesForCurrentThread();
        Mark(connection, Pairs);
        return GC.GetAllocatedBytesForCurrentThread() - before;
    }

    private static void Mark(GracefulConnection connection, int pairs)
    {
        for (var i = 0; i < pairs; i++)
        {
            connection.MarkInUse();
            connection.MarkIdle();
        }
    }

    private static async Task ServePlainAsync(NetworkStream stream)
    {
        await using var _ = stream.ConfigureAwait(false);
        var buffer = new byte[Length];
        while (true)
        {
            var bytes = await stream.ReadAsync(buffer.AsMemory()).ConfigureAwait(false);
            if (bytes == 0)
            {
                return;
            }

            await stream.WriteAsync(buffer.AsMemory(0, bytes)).ConfigureAwait(false);
        }
    }

    private static async Task ServeGracefulAsync(GracefulConnection stream)
    {
        await using var _ = stream.ConfigureAwait(false);
        var buffer = new byte[Length];
        while (true)
        {
            var bytes = await stream.ReadAsync(buffer.AsMemory()).ConfigureAwait(false);
            if (bytes == 0)
            {
                return;
            }

            await stream.WriteAsync(buffer.AsMemory(0, bytes)).ConfigureAwait(false);
            stream.MarkIdle();
        }
    }

    /// <summary>Echoes a second.</summary>
    private static double Slice(Socket client)
    {
        Span<byte> buffer = stackalloc byte[Length];
        var start = Stopwatch.GetTimestamp();
        for (var i = 0; i < Echoes; i++)
        {
            client.Send(buffer);
            for (var left = Length; left > 0;)
            {
                left -= client.Receive(buffer[..left]);
            }
        }

        return Echoes / Stopwatch.GetElapsedTime(start).TotalSeconds;
    }

    private static Socket Listening()
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        socket.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        socket.Listen();
        return socket;
    }

    private static Socket Connect(EndPoint to)
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        socket.Connect(to);
        return socket;
    }

    private static async Task<(GracefulConnection Server, Socket Client)> PairAsync(GracefulListener listener)
    {
        var client = Connect(listener.LocalEndPoint);
        return ((await listener.AcceptAsync().ConfigureAwait(false))!, client);
    }
}
