using Graceful.Tests.Interleavings;

namespace Graceful.Tests.Processes;

/// <summary>
/// Two HTTP/2 servers behind HAProxy, under load of h2load and HttpClient: a short run of `build.fsx takeover`, which stops twenty times.
/// </summary>
[Collection(nameof(Alone))]
public sealed class Takeovers
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(120);

    [Fact]
    public async Task Two_servers_that_stop_in_turn_lose_no_request()
    {
        using var child = Child.StartBeside("Graceful.Takeover", "--server", "graceful", "--stops", "2", "--ends", "0");
        var code = await child.ExitAsync(Limit);
        Assert.True(code == 0, child.Output);
        Assert.Contains("h2load, HTTP/2 proxy", child.Output, StringComparison.Ordinal);
        Assert.EndsWith("as promised", child.Output, StringComparison.Ordinal);
    }
}
