using Graceful.Tests.Processes;

namespace Graceful.Tests.Activation;

/// <summary>A server that leaves when it is idle, while clients aim at the very moment; as many rounds as a build has time for. <c>build.fsx soak-idle</c> has more.</summary>
public sealed class AtTheEdge
{
    [Fact]
    public async Task Nobody_is_lost_and_nobody_is_refused_while_the_server_comes_and_goes()
    {
        using var child = Child.StartBeside("Graceful.Doorkeeper", ["--activations", "12", "--", .. SocketActivate.Sample("--IdleLimit", "00:00:00.2")]);
        var code = await child.ExitAsync(TimeSpan.FromMinutes(3));
        Assert.True(code == 0, child.Output);
        Assert.Contains(" 0 lost, 0 refused", child.Output, StringComparison.Ordinal);
    }
}
