using Graceful.Tests.Interleavings;

namespace Graceful.Tests.Trackers;

/// <summary>Whose the process's exit code is. Other tests' servers put theirs into it, so this one runs when they don't.</summary>
[Collection(nameof(Alone))]
public sealed class OwnProcess
{
    [Fact]
    public async Task Several_in_one_process_leave_one_by_one_and_leave_its_exit_code_alone()
    {
        var before = Environment.ExitCode;
        await using var one = new Life(options => options.GracePeriod = TimeSpan.FromMilliseconds(200));
        await using var other = new Life();
        using var stuck = one.Graceful.Begin("stuck");
        Assert.Equal(2, (await one.LeaveAsync()).ExitCode);
        Assert.Equal(before, Environment.ExitCode);
        Assert.False(other.Graceful.IsStopping);
        Assert.Equal(0, (await other.LeaveAsync()).ExitCode);
    }
}
