using System.Diagnostics;
using System.Runtime.CompilerServices;
using Graceful.Core;
using Graceful.Engine;

namespace Graceful.Benchmarks;

/// <summary>
/// A request begins and ends: two steps of the core under CAS, against two bare compare-and-swaps on the same layout,
/// on one thread and on two threads that each have a connection of their own.
/// </summary>
internal static class ConnectionStepBenchmark
{
    private const int Pairs = 200_000;
    private const double MostNanoseconds = 20;
    private const double LeastRatio = 0.6;

    public static bool Run(int rounds)
    {
        Console.WriteLine($"A request's two steps, {rounds} rounds of {Pairs:N0} pairs each, medians:");
        var good = true;
        foreach (var threads in new[] { 1, 2 })
        {
            var (steps, bare, allocated) = Measure(threads, rounds);
            var ratio = bare / steps;
            var passed = ratio >= LeastRatio && allocated == 0 && (threads > 1 || steps <= MostNanoseconds);
            good &= passed;
            Console.WriteLine(FormattableString.Invariant(
                $"  {threads} thread{(threads == 1 ? " " : "s")}  step pair {steps,6:0.00} ns   two bare CAS {bare,6:0.00} ns   rate {ratio:0.00} of bare (at least {LeastRatio:0.0})   {allocated} B allocated   {(passed ? "as promised" : "NOT as promised")}"));
        }

        return good;
    }

    /// <summary>Nanoseconds a pair, medians over the rounds of the slowest thread's time.</summary>
    private static (double Steps, double Bare, long Allocated) Measure(int threads, int rounds)
    {
        var steps = new double[rounds];
        var bare = new double[rounds];
        var allocated = 0L;
        using var barrier = new Barrier(threads);
        var workers = Enumerable.Range(0, threads).Select(worker => new Thread(() =>
        {
            var cells = new ConnectionCell[1];
            var words = new PaddedWord[1];
            // Both are compiled in full before anything is measured.
            for (var i = 0; i < 50; i++)
            {
                Steps(ref cells[0], Pairs / 10);
                Bare(ref words[0], Pairs / 10);
            }

            for (var round = 0; round < rounds; round++)
            {
                barrier.SignalAndWait();
                var before = GC.GetAllocatedBytesForCurrentThread();
                var start = Stopwatch.GetTimestamp();
                Steps(ref cells[0], Pairs);
                var middle = Stopwatch.GetTimestamp();
                Interlocked.Add(ref allocated, GC.GetAllocatedBytesForCurrentThread() - before);
                barrier.SignalAndWait();
                var again = Stopwatch.GetTimestamp();
                Bare(ref words[0], Pairs);
                var end = Stopwatch.GetTimestamp();
                if (worker == 0)
                {
                    steps[round] = Stopwatch.GetElapsedTime(start, middle).TotalNanoseconds / Pairs;
                    bare[round] = Stopwatch.GetElapsedTime(again, end).TotalNanoseconds / Pairs;
                }
            }
        })).ToArray();
        foreach (var worker in workers)
        {
            worker.Start();
        }

        foreach (var worker in workers)
        {
            worker.Join();
        }

        return (Figures.Median(steps), Figures.Median(bare), allocated);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void Steps(ref ConnectionCell cell, int pairs)
    {
        for (var i = 0; i < pairs; i++)
        {
            cell.Step(ConnectionEvent.Begin);
            cell.Step(ConnectionEvent.End);
        }
    }

    /// <summary>The least that two steps can cost.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    public static void Bare(ref PaddedWord cell, int pairs)
    {
        for (var i = 0; i < pairs; i++)
        {
            var seen = Volatile.Read(ref cell.Word);
            Interlocked.CompareExchange(ref cell.Word, seen + 1, seen);
            seen = Volatile.Read(ref cell.Word);
            Interlocked.CompareExchange(ref cell.Word, seen - 1, seen);
        }
    }
}
