using Graceful.Tests.Processes;
using Graceful.Tests.Support;

namespace Graceful.Tests.FastCgi.Outside;

/// <summary>Two servers behind nginx, each stopped by SIGTERM under load, and not one request that nginx could not answer.</summary>
public sealed class StopsUnderLoad
{
    /// <summary>What nginx writes when an application broke off what it had been sent. That nobody listens any more is no loss: it asks the other.</summary>
    private static readonly string[] Losses = ["prematurely closed", "reset by peer", "Broken pipe", "while reading", "while sending request", "no live upstreams", "timed out"];

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    [InlineData(true, "/repeated")]
    [InlineData(false, "/buffered")]
    [InlineData(false, "/unbuffered")]
    public async Task Nothing_is_lost_while_one_leaves_and_the_other_serves(bool keep, string? post = null)
    {
        var folder = Directory.CreateTempSubdirectory("graceful");
        try
        {
            string[] sockets = [Path.Combine(folder.FullName, "a"), Path.Combine(folder.FullName, "b")];
            using var first = await StartAsync(sockets[0]);
            using var second = await StartAsync(sockets[1]);
            using var front = await Front.NginxAsync(folder.FullName, sockets, keep);
            using var end = new CancellationTokenSource();
            int answered = 0;
            List<string> lost = [];
            var clients = Enumerable.Range(0, 8).Select(_ => Task.Run(AskAsync)).ToArray();
            await Answered(200);
            await LeaveAsync(first);
            await Answered(200);
            using var third = await StartAsync(sockets[0]);
            await Answered(200);
            await LeaveAsync(second);
            await Answered(200);
            await end.CancelAsync();
            await Task.WhenAll(clients).Soon("The end of the clients");

            Assert.Empty(lost);
            // FastCGI has no word for a kept connection that ends after all, so nginx may use one for its next request in that very moment. It repeats what
            // can be repeated, a POST only where it is told so, and its clients see nothing; without kept connections there is nothing to be repeated.
            foreach (var loss in keep ? [] : Losses)
            {
                Assert.DoesNotContain(loss, front.Errors, StringComparison.Ordinal);
            }

            async Task AskAsync()
            {
                for (var turn = 0; !end.IsCancellationRequested; turn++)
                {
                    // Every other body is more than the 16 KiB that nginx keeps in memory.
                    var body = turn % 2 == 0 ? Pattern.Bytes[..3000] : [.. Pattern.Bytes, .. Pattern.Bytes];
                    using var response = await (post is null ? front.Client.GetAsync("/") : front.Client.PostAsync(post, new ByteArrayContent(body)));
                    if ((await response.Content.ReadAsByteArrayAsync()).SequenceEqual(post is null ? "ok"u8 : body))
                    {
                        Interlocked.Increment(ref answered);
                    }
                    else
                    {
                        lock (lost)
                        {
                            lost.Add($"{response.StatusCode}");
                        }
                    }
                }
            }

            Task Answered(int more)
            {
                var from = Volatile.Read(ref answered);
                return Limits.Until(() => Volatile.Read(ref answered) - from >= more, $"{more} more answers, the rest being {string.Join(", ", lost)}");
            }
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    private static async Task<Child> StartAsync(string socket)
    {
        var child = Child.Start("plain", "--socket", socket, "--fastcgi", "true");
        await Limits.Until(() => File.Exists(socket) || child.HasExited, "the server listens");
        Assert.False(child.HasExited, child.Output);
        return child;
    }

    private static async Task LeaveAsync(Child server)
    {
        server.Kill(Signal.Terminate);
        Assert.Equal(0, await server.ExitAsync());
        Assert.Contains("Left after SIGTERM", server.Output, StringComparison.Ordinal);
        Assert.Contains("0 aborted", server.Output, StringComparison.Ordinal);
    }
}
