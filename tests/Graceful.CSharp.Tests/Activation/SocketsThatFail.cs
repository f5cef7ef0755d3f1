using System.Net;
using System.Threading.Channels;
using Graceful.Kestrel;
using Graceful.Tests.Support;
using Microsoft.AspNetCore.Connections;

namespace Graceful.Tests.Activation;

/// <summary>Of several sockets of one endpoint one fails, in a way that only a transport of somebody else's could.</summary>
public sealed class SocketsThatFail
{
    [Fact]
    public async Task The_others_are_served_and_Kestrel_hears_of_it_when_there_are_none()
    {
        await using var several = new SeveralListeners(new IPEndPoint(IPAddress.Loopback, 0), unbound: () => { });
        var (first, second) = (new Door(), new Door());
        several.Add(first);
        several.Add(second);
        first.Break("the first");
        var connection = new DefaultConnectionContext();
        second.Come(connection);
        Assert.Same(connection, await several.AcceptAsync().AsTask().Soon("The connection"));
        second.Break("the second");
        var e = await Assert.ThrowsAsync<IOException>(() => several.AcceptAsync().AsTask().Soon("The failure"));
        Assert.Equal("the first", e.Message);
    }

    [Fact]
    public async Task Whom_Kestrel_takes_no_more_is_aborted()
    {
        var several = new SeveralListeners(new IPEndPoint(IPAddress.Loopback, 0), unbound: () => { });
        var (first, second, third) = (new Door(), new Door(), new Door());
        several.Add(first);
        first.Break("the first");
        await Assert.ThrowsAsync<IOException>(() => several.AcceptAsync().AsTask().Soon("The failure"));
        several.Add(second);
        var late = new Newcomer();
        second.Come(late);
        await late.Aborted.Soon("The abort");

        await using (var other = new SeveralListeners(new IPEndPoint(IPAddress.Loopback, 0), unbound: () => { }))
        {
            other.Add(third);
            third.Come(late = new Newcomer());
        }

        await late.Aborted.Soon("The abort");
        await several.DisposeAsync();
    }

    private sealed class Newcomer : DefaultConnectionContext
    {
        private readonly TaskCompletionSource _aborted = new();

        public Task Aborted => _aborted.Task;

        public override void Abort(ConnectionAbortedException abortReason) => _aborted.TrySetResult();
    }

    private sealed class Door : IConnectionListener
    {
        private readonly Channel<ConnectionContext> _queue = Channel.CreateUnbounded<ConnectionContext>(new() { AllowSynchronousContinuations = true });

        public EndPoint EndPoint { get; } = new IPEndPoint(IPAddress.Loopback, 1);

        public void Come(ConnectionContext connection) => Assert.True(_queue.Writer.TryWrite(connection));

        public void Break(string why) => _queue.Writer.Complete(new IOException(why));

        public async ValueTask<ConnectionContext?> AcceptAsync(CancellationToken cancellationToken = default)
        {
            try
            {
                return await _queue.Reader.ReadAsync(cancellationToken);
            }
            catch (ChannelClosedException e)
            {
                throw e.InnerException!;
            }
        }

        public ValueTask UnbindAsync(CancellationToken cancellationToken = default) => default;

        public ValueTask DisposeAsync() => default;
    }
}
