using System.Net.Sockets;
using Graceful.Tests.Support;

namespace Graceful.Tests.Processes;

/// <summary>Processes that listen on a Unix socket and are ended, with a signal that they hear or with one that they don't.</summary>
public sealed class UnixServers : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("graceful");

    private string Address => Path.Combine(_folder.FullName, "socket");

    public void Dispose() => _folder.Delete(recursive: true);

    [Fact]
    public async Task The_next_one_comes_to_the_path_of_one_that_was_killed()
    {
        using (var killed = Child.Start("plain", "--socket", Address))
        {
            await killed.Said("LISTENING");
            killed.Kill(Signal.Kill);
            await killed.ExitAsync();
        }

        Assert.True(File.Exists(Address));
        using var next = Child.Start("plain", "--socket", Address);
        await next.Said("LISTENING");
        using (var client = await RawClient.ConnectAsync(new UnixDomainSocketEndPoint(Address)))
        {
            Assert.Equal(200, (await client.GetAsync("/")).Status);
        }

        next.Kill(Signal.Terminate);
        Assert.Equal(0, await next.ExitAsync());
        Assert.False(File.Exists(Address));
    }

    [Fact]
    public async Task SIGTERM_under_load_loses_no_request()
    {
        using var child = Child.Start("plain", "--socket", Address);
        await child.Said("LISTENING");
        var (served, refused) = (0, 0);
        var lost = new System.Collections.Concurrent.ConcurrentQueue<string>();
        var clients = Enumerable.Range(0, 24).Select(number => Task.Run(() => AskAsync(keep: number % 2 == 0))).ToList();
        await Limits.Until(() => Volatile.Read(ref served) > 500, "the load is there");
        child.Kill(Signal.Terminate);
        await Task.WhenAll(clients).Soon("The clients");
        Assert.Equal(0, await child.ExitAsync());
        Assert.Empty(lost);
        Assert.Equal(24, refused);

        async Task AskAsync(bool keep)
        {
            while (true)
            {
                RawClient client;
                try
                {
                    client = await RawClient.ConnectAsync(new UnixDomainSocketEndPoint(Address));
                }
                catch (SocketException)
                {
                    Interlocked.Increment(ref refused);
                    return;
                }

                using (client)
                {
                    try
                    {
                        // As any client does that reuses a connection: one that was closed meanwhile is not used again.
                        for (var told = false; !told && !client.HasNews; told |= !keep)
                        {
                            var response = await client.GetAsync("/");
                            told = response.IsTold;
                            Interlocked.Increment(ref served);
                        }
                    }
                    catch (Exception e) when (e is IOException or EndOfStreamException or SocketException)
                    {
                        lost.Enqueue(e.Message);
                    }
                }
            }
        }
    }
}
