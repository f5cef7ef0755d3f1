using System.Net.ServerSentEvents;
using System.Runtime.CompilerServices;
using Graceful.Core;
using Microsoft.AspNetCore.Http;

namespace Graceful;

/// <summary>Streams that end by themselves when the server leaves.</summary>
public static class GracefulStreams
{
    /// <summary>The longest that clients may be asked to stay away.</summary>
    private static readonly TimeSpan MostReconnect = TimeSpan.FromHours(1);

    /// <summary>How long a source is waited for that was told to end; one that does not hear is left behind.</summary>
    private static readonly TimeSpan SourceLimit = TimeSpan.FromSeconds(1);

    private static readonly ulong Seed = (ulong)Random.Shared.NextInt64();

    private static long _told;

    /// <summary>
    /// Ends a sequence when the way out begins: between two items, and as if there were no more. A source that waits for its next item
    /// is cancelled by the token that it is enumerated with; one that does not hear that is left behind after a second, and
    /// disposed when its item comes.
    /// </summary>
    /// <param name="source">The sequence.</param>
    /// <param name="context">The request that it is sent to, see <c>HttpContext.Graceful()</c>.</param>
    /// <typeparam name="T">The items.</typeparam>
    /// <returns>The sequence up to then. It still fails with its source, and is cancelled when whoever enumerates it cancels.</returns>
    /// <exception cref="ArgumentNullException">The source or the context is null.</exception>
    /// <exception cref="InvalidOperationException"><c>AddGraceful</c> was not called.</exception>
    public static IAsyncEnumerable<T> UntilStopping<T>(this IAsyncEnumerable<T> source, HttpContext context)
    {
        ArgumentNullException.ThrowIfNull(source);
        ArgumentNullException.ThrowIfNull(context);
        return Until(source, last: null, context.Graceful().Stopping);
    }

    /// <inheritdoc cref="UntilStopping{T}(IAsyncEnumerable{T}, HttpContext)"/>
    /// <param name="source">The sequence.</param>
    /// <param name="graceful">The server. Its token is asked for now: after a stop that was undone a new sequence is needed.</param>
    /// <exception cref="ArgumentNullException">The source or the server is null.</exception>
    public static IAsyncEnumerable<T> UntilStopping<T>(this IAsyncEnumerable<T> source, IGraceful graceful)
    {
        ArgumentNullException.ThrowIfNull(source);
        ArgumentNullException.ThrowIfNull(graceful);
        return Until(source, last: null, graceful.Stopping);
    }

    /// <inheritdoc cref="UntilStopping{T}(IAsyncEnumerable{T}, HttpContext)"/>
    /// <param name="source">The sequence.</param>
    /// <param name="stopping">When to end.</param>
    /// <exception cref="ArgumentNullException">The source is null.</exception>
    public static IAsyncEnumerable<T> UntilStopping<T>(this IAsyncEnumerable<T> source, CancellationToken stopping)
    {
        ArgumentNullException.ThrowIfNull(source);
        return Until(source, last: null, stopping);
    }

    /// <summary>
    /// Server-sent events that end when the way out begins, with an event that says so. It tells the client when to come back (<c>retry</c>): each
    /// another moment, evenly spread, so that not all of them come back at once. For <c>TypedResults.ServerSentEvents</c>.
    /// </summary>
    /// <param name="source">The events.</param>
    /// <param name="context">The request that they are sent to.</param>
    /// <param name="last">What the last event carries.</param>
    /// <param name="reconnectWithin">The time over which clients come back, from zero to an hour; browsers take three seconds by themselves.</param>
    /// <param name="eventType">The name of the last event, for which a client may listen; not empty.</param>
    /// <typeparam name="T">What events carry.</typeparam>
    /// <returns>The events up to then, and the last one. Events that end by themselves end without it.</returns>
    /// <exception cref="ArgumentNullException">The source or the context is null.</exception>
    /// <exception cref="ArgumentException">The name is null, empty or blank, or has a line break.</exception>
    /// <exception cref="ArgumentOutOfRangeException">The time is out of its bounds.</exception>
    /// <exception cref="InvalidOperationException"><c>AddGraceful</c> was not called.</exception>
    public static IAsyncEnumerable<SseItem<T>> UntilStopping<T>(
        this IAsyncEnumerable<SseItem<T>> source, HttpContext context, T last, TimeSpan reconnectWithin, string eventType = "leaving")
    {
        ArgumentNullException.ThrowIfNull(source);
        ArgumentNullException.ThrowIfNull(context);
        ArgumentException.ThrowIfNullOrWhiteSpace(eventType);
        if (reconnectWithin < TimeSpan.Zero || reconnectWithin > MostReconnect)
        {
            throw new ArgumentOutOfRangeException(
                nameof(reconnectWithin), reconnectWithin, $"The time to come back is {reconnectWithin}; allowed is from zero to {MostReconnect}.");
        }

        return Until(source, Last, context.Graceful().Stopping);

        SseItem<T> Last()
        {
            var wait = Spread.after(Seed, Interlocked.Increment(ref _told), reconnectWithin);
            return new SseItem<T>(last, eventType) { ReconnectionInterval = TimeSpan.FromMilliseconds(Math.Floor(wait.TotalMilliseconds)) };
        }
    }

    private static async IAsyncEnumerable<T> Until<T>(
        IAsyncEnumerable<T> source, Func<T>? last, CancellationToken stopping, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        using var end = CancellationTokenSource.CreateLinkedTokenSource(stopping, cancellationToken);
        var stopped = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        using var registration = stopping.Register(stopped.SetResult);
        var items = source.GetAsyncEnumerator(end.Token);
        Task<bool>? leftBehind = null;
        var isOver = false;
        try
        {
            while (!isOver && !stopping.IsCancellationRequested)
            {
                var next = items.MoveNextAsync().AsTask();
                await Task.WhenAny(next, stopped.Task).ConfigureAwait(false);
                if (!next.IsCompleted)
                {
                    await Task.WhenAny(next, Task.Delay(SourceLimit, CancellationToken.None)).ConfigureAwait(false);
                }

                if (!next.IsCompleted)
                {
                    leftBehind = next;
                    break;
                }

                // Cancelled because we asked for it, it has no more; for any other reason it fails here.
                if (!next.IsCanceled || !stopping.IsCancellationRequested || cancellationToken.IsCancellationRequested)
                {
                    isOver = !await next.ConfigureAwait(false);
                    if (!isOver)
                    {
                        yield return items.Current;
                    }
                }
            }

            if (!isOver && last is not null)
            {
                yield return last();
            }
        }
        finally
        {
            if (leftBehind is null)
            {
                await items.DisposeAsync().ConfigureAwait(false);
            }
            else
            {
                _ = DisposeAfterAsync(items, leftBehind);
            }
        }
    }

    private static async Task DisposeAfterAsync<T>(IAsyncEnumerator<T> items, Task next)
    {
        await next.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await items.DisposeAsync().ConfigureAwait(false);
    }
}
