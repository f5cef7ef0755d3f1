using Graceful.Tests.Support;

namespace Graceful.Tests.Processes;

/// <summary>The garbage collector waits while a process leaves that gives all its memory back anyhow.</summary>
public sealed class Collections
{
    [Theory]
    [InlineData(true, "NoGCRegion")]
    [InlineData(false, "Interactive")]
    public async Task They_wait_when_the_process_is_the_server_s_alone(bool ownsProcess, string mode)
    {
        var (child, port) = await Child.ListeningAsync("collections", "--OwnsProcess", $"{ownsProcess}");
        using var _ = child;
        using var client = await RawClient.IdleAsync(port);
        child.Kill(Signal.Terminate);
        await child.Said(mode);
        Assert.Equal(Ending.Fin, await client.EndAsync());
        Assert.Equal(0, await child.ExitAsync());
    }
}
