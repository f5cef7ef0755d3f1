using System.Net.ServerSentEvents;
using System.Runtime.CompilerServices;
using System.Threading.Channels;
using Graceful.Tests.Support;
using Microsoft.AspNetCore.Http;

namespace Graceful.Tests.Streams;

/// <summary>Sequences that end with a token, on their own.</summary>
public sealed class Sequences
{
    [Fact]
    public async Task One_that_waits_for_its_next_item_ends_and_does_not_fail()
    {
        using var stopping = new CancellationTokenSource();
        var channel = Channel.CreateUnbounded<int>();
        channel.Writer.TryWrite(1);
        await using var items = channel.Reader.ReadAllAsync().UntilStopping(stopping.Token).GetAsyncEnumerator();
        Assert.True(await items.MoveNextAsync());
        Assert.Equal(1, items.Current);
        var next = items.MoveNextAsync().AsTask();
        Assert.False(next.IsCompleted);
        await stopping.CancelAsync();
        Assert.False(await next.Soon("The end of the sequence"));
    }

    [Fact]
    public async Task Between_two_items_it_takes_no_more_and_its_source_is_disposed()
    {
        using var stopping = new CancellationTokenSource();
        var source = new Source();
        var got = new List<int>();
        await foreach (var item in source.Count().UntilStopping(stopping.Token))
        {
            got.Add(item);
            if (item == 3)
            {
                await stopping.CancelAsync();
            }
        }

        Assert.Equal([1, 2, 3], got);
        Assert.True(source.IsDisposed);
    }

    [Fact]
    public async Task A_source_that_does_not_hear_is_left_behind_and_disposed_when_its_item_comes()
    {
        using var stopping = new CancellationTokenSource();
        var source = new Source();
        await using var items = source.Deaf().UntilStopping(stopping.Token).GetAsyncEnumerator();
        var next = items.MoveNextAsync().AsTask();
        await stopping.CancelAsync();
        Assert.False(await next.Soon("The end of the sequence"));
        Assert.False(source.IsDisposed);
        source.Door.Open();
        await Limits.Until(() => source.IsDisposed, "the source is disposed");
    }

    [Fact]
    public async Task Whoever_enumerates_it_may_still_cancel_and_its_source_may_fail()
    {
        using var stopping = new CancellationTokenSource();
        using var cancelled = new CancellationTokenSource();
        await using var items = Channel.CreateUnbounded<int>().Reader.ReadAllAsync().UntilStopping(stopping.Token).GetAsyncEnumerator(cancelled.Token);
        var next = items.MoveNextAsync().AsTask();
        await cancelled.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => next.Soon());
        await using var failing = Source.Failing().UntilStopping(stopping.Token).GetAsyncEnumerator();
        await Assert.ThrowsAsync<InvalidOperationException>(async () => await failing.MoveNextAsync());
    }

    [Fact]
    public async Task Events_end_with_one_that_says_when_to_come_back_each_client_at_another_moment()
    {
        var way = new Way();
        var context = new DefaultHttpContext();
        context.Features.Set<IGracefulFeature>(way);
        var within = TimeSpan.FromSeconds(10);
        var streams = Enumerable.Range(0, 10).Select(_ => Collect(Forever().UntilStopping(context, "bye", within))).ToList();
        await way.Source.CancelAsync();
        var lasts = await Task.WhenAll(streams).Soon("The ends of the streams");
        Assert.All(lasts, last => Assert.Equal(("leaving", "bye"), (last.EventType, last.Data)));
        var intervals = lasts.Select(last => last.ReconnectionInterval!.Value).Order().ToList();
        Assert.All(intervals, interval => Assert.InRange(interval, TimeSpan.Zero, within));

        // Evenly: no two closer than 0.4 of the even distance.
        Assert.All(intervals.Zip(intervals.Skip(1)), pair => Assert.True(pair.Second - pair.First >= within / 10 * 0.39));

        static async Task<SseItem<string>> Collect(IAsyncEnumerable<SseItem<string>> events)
        {
            SseItem<string> last = default;
            await foreach (var one in events)
            {
                last = one;
            }

            return last;
        }
    }

    [Fact]
    public async Task Events_that_end_by_themselves_end_without_it()
    {
        var context = new DefaultHttpContext();
        context.Features.Set<IGracefulFeature>(new Way());
        var got = new List<string>();
        await foreach (var item in Once().UntilStopping(context, "bye", TimeSpan.Zero))
        {
            got.Add(item.Data);
        }

        Assert.Equal(["once"], got);
    }

    [Fact]
    public void Bad_arguments_are_said_to_be_so()
    {
        var context = new DefaultHttpContext();
        context.Features.Set<IGracefulFeature>(new Way());
        var error = Assert.Throws<ArgumentOutOfRangeException>(() => Once().UntilStopping(context, "", TimeSpan.FromHours(1) + TimeSpan.FromTicks(1)));
        Assert.Contains("from zero to 01:00:00", error.Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentOutOfRangeException>(() => Once().UntilStopping(context, "", TimeSpan.FromTicks(-1)));
        Assert.Throws<ArgumentException>(() => Once().UntilStopping(context, "", TimeSpan.Zero, " "));
        Assert.Throws<ArgumentNullException>(() => Once().UntilStopping((HttpContext)null!));
        Assert.Throws<ArgumentNullException>(() => Once().UntilStopping((IGraceful)null!));
        Assert.Throws<ArgumentNullException>(() => ((IAsyncEnumerable<int>)null!).UntilStopping(CancellationToken.None));
    }

    private static async IAsyncEnumerable<SseItem<string>> Once()
    {
        await Task.Yield();
        yield return new SseItem<string>("once");
    }

    private static async IAsyncEnumerable<SseItem<string>> Forever([EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        yield return new SseItem<string>("once");
        await Task.Delay(Timeout.Infinite, cancellationToken);
    }

    private sealed class Way : IGracefulFeature
    {
        public CancellationTokenSource Source { get; } = new();

        public CancellationToken Stopping => Source.Token;

        public CancellationToken Aborting => CancellationToken.None;

        public bool IsDraining => Source.IsCancellationRequested;

        public TimeSpan? TimeLeft => null;
    }

    private sealed class Source
    {
        public Door Door { get; } = new();

        public bool IsDisposed { get; private set; }

        public static async IAsyncEnumerable<int> Failing()
        {
            await Task.Yield();
            yield return Environment.TickCount64 > 0 ? throw new InvalidOperationException("as planned") : 0;
        }

        public async IAsyncEnumerable<int> Count()
        {
            try
            {
                for (var item = 1; ; item++)
                {
                    await Task.Yield();
                    yield return item;
                }
            }
            finally
            {
                IsDisposed = true;
            }
        }

        public async IAsyncEnumerable<int> Deaf()
        {
            try
            {
                await Door.PassAsync();
                yield return 1;
            }
            finally
            {
                IsDisposed = true;
            }
        }
    }
}
