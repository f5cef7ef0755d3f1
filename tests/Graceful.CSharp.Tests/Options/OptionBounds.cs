using Graceful.Tests.Support;
using Microsoft.Extensions.Options;

namespace Graceful.Tests.Options;

public sealed class OptionBounds
{
    private static readonly TimeSpan Tick = TimeSpan.FromTicks(1);

    public static TheoryData<string, string, Action<GracefulOptions>> Bad() => new()
    {
        { "LameDuck is -00:00:00.0000001", "between zero and 01:00:00", o => o.LameDuck = -Tick },
        { "LameDuck is 01:00:00.0000001", "between zero and 01:00:00", o => Long(o).LameDuck = TimeSpan.FromHours(1) + Tick },
        { "LameDuck is 00:00:30", "less than the GracePeriod of 00:00:30", o => o.LameDuck = TimeSpan.FromSeconds(30) },
        { "QuietPeriod is -00:00:00.0000001", "between zero and 00:01:00", o => o.QuietPeriod = -Tick },
        { "QuietPeriod is 00:01:00.0000001", "between zero and 00:01:00", o => o.QuietPeriod = TimeSpan.FromMinutes(1) + Tick },
        { "GracePeriod is 00:00:00", "more than zero and at most 1.00:00:00, or Timeout.InfiniteTimeSpan", o => o.GracePeriod = TimeSpan.Zero },
        { "GracePeriod is -00:00:01", "more than zero", o => o.GracePeriod = TimeSpan.FromSeconds(-1) },
        { "GracePeriod is 1.00:00:00.0000001", "at most 1.00:00:00", o => o.GracePeriod = TimeSpan.FromDays(1) + Tick },
        { "DoubleKickWindow is -00:00:00.0000001", "between zero and 00:01:00", o => o.DoubleKickWindow = -Tick },
        { "DoubleKickWindow is 00:01:00.0000001", "between zero and 00:01:00", o => o.DoubleKickWindow = TimeSpan.FromMinutes(1) + Tick },
        { "IdleLimit is 00:00:00.0009999", "between 00:00:00.0010000 and 30.00:00:00, or null", o => o.IdleLimit = TimeSpan.FromMilliseconds(1) - Tick },
        { "IdleLimit is -00:00:00.0010000", "or null", o => o.IdleLimit = Timeout.InfiniteTimeSpan },
        { "IdleLimit is 30.00:00:00.0000001", "or null", o => o.IdleLimit = TimeSpan.FromDays(30) + Tick },
        { "SettleTime is -00:00:00.0000001", "between zero and 00:00:10", o => o.SettleTime = -Tick },
        { "SettleTime is 00:00:10.0000001", "between zero and 00:00:10", o => o.SettleTime = TimeSpan.FromSeconds(10) + Tick },
        { "PlatformGracePeriod is 00:00:00", "more than zero and at most 30.00:00:00, or null", o => o.PlatformGracePeriod = TimeSpan.Zero },
        { "PlatformGracePeriod is -00:00:00.0010000", "more than zero", o => o.PlatformGracePeriod = Timeout.InfiniteTimeSpan },
        { "PlatformGracePeriod is 30.00:00:00.0000001", "at most 30.00:00:00", o => o.PlatformGracePeriod = TimeSpan.FromDays(30) + Tick },
        { "Intake is 77", "SynFilter", o => o.Intake = (IntakeMethod)77 },
        { "RecordLimit is 4095", "between 4096 and 1073741824 bytes", o => o.RecordLimit = 4095 },
        { "RecordLimit is 1073741825", "between 4096 and 1073741824 bytes", o => o.RecordLimit = (1 << 30) + 1 },
        { "ExitCodes.Clean is -1", "between 0 and 255", o => o.ExitCodes.Clean = -1 },
        { "ExitCodes.Failed is 256", "between 0 and 255", o => o.ExitCodes.Failed = 256 },
        { "ExitCodes.TimedOut is -2147483648", "between 0 and 255", o => o.ExitCodes.TimedOut = int.MinValue },
        { "ExitCodes.Forced is 2147483647", "between 0 and 255", o => o.ExitCodes.Forced = int.MaxValue },
        { "FastCgi.MaxParamsSize is 1023", "between 1024 and 16777216 bytes", o => o.FastCgi.MaxParamsSize = 1023 },
        { "FastCgi.MaxParamsSize is 16777217", "between 1024 and 16777216 bytes", o => o.FastCgi.MaxParamsSize = (1 << 24) + 1 },
        { "FastCgi.MaxParamsCount is 0", "between 1 and 100000", o => o.FastCgi.MaxParamsCount = 0 },
        { "FastCgi.MaxParamsCount is 100001", "between 1 and 100000", o => o.FastCgi.MaxParamsCount = 100_001 },
        { "FastCgi.ParamsTimeout is 00:00:00", "more than zero and at most 1.00:00:00, or Timeout.InfiniteTimeSpan", o => o.FastCgi.ParamsTimeout = TimeSpan.Zero },
        { "FastCgi.ParamsTimeout is 1.00:00:00.0000001", "at most 1.00:00:00", o => o.FastCgi.ParamsTimeout = TimeSpan.FromDays(1) + Tick },
        { "FastCgi.IdleTimeout is -00:00:00.0000001", "more than zero", o => o.FastCgi.IdleTimeout = -Tick },
        { "FastCgi.IdleTimeout is 1.00:00:00.0000001", "at most 1.00:00:00", o => o.FastCgi.IdleTimeout = TimeSpan.FromDays(1) + Tick },
        { "Record is ' '", "the path of a file, or null", o => o.Record = " " },
        { "The signal 'SIGKILL' can't be chosen: the system lets nobody", "SIGUSR1", o => o.Signals["SIGKILL"] = SignalAction.Stop },
        { "The signal '19' can't be chosen", "SIGUSR1", o => o.Signals["19"] = SignalAction.Stop },
        { "The signal 'segv' can't be chosen: the .NET runtime needs it", "SIGUSR1", o => o.Signals["segv"] = SignalAction.StopNow },
        { "The signal 'SIG34' can't be chosen", "SIGUSR1", o => o.Signals["SIG34"] = SignalAction.Stop },
        { "The action of the signal 'SIGHUP' is null", "SignalAction.Stop", o => o.Signals["SIGHUP"] = null! },
        { "'SIGTERM' and '15' are one signal", "one action for a signal", o => o.Signals["15"] = SignalAction.StopNow },
        { "TimeProvider is null", "any TimeProvider", o => o.TimeProvider = null! },
        { "The name of a hook is ' '", "not empty", o => o.OnStopping(" ", Tick, Nothing) },
        { "The limit of the hook 'flush' is 00:00:00", "more than zero and at most 1.00:00:00", o => o.OnDrained("flush", TimeSpan.Zero, Nothing) },
        { "The limit of the hook 'flush' is -00:00:00.0010000", "more than zero", o => o.OnDrained("flush", Timeout.InfiniteTimeSpan, Nothing) },
        { "The limit of the hook 'flush' is 1.00:00:00.0000001", "at most 1.00:00:00", o => o.OnDrained("flush", TimeSpan.FromDays(1) + Tick, Nothing) },
        { "The hook 'b' is to run after 'a', and there is none of that name", "hooks of the same stage", o => o.OnStopping("b", Tick, Nothing, after: ["a"]) },
        { "The hook 'b' is to run after 'a', which runs in the other stage", "hooks of the same stage", o => o.OnDrained("a", Tick, Nothing).OnStopping("b", Tick, Nothing, after: ["a"]) },
        { "The hooks 'a', 'b' wait for each other in a circle", "any order that begins somewhere", o => o.OnStopping("a", Tick, Nothing, after: ["b"]).OnStopping("b", Tick, Nothing, after: ["a"]) },
        { "The failure policy of the hook 'a' is 7", "Continue or Force", o => o.OnStopping("a", Tick, Nothing, onFailure: (HookFailurePolicy)7) },
        { "The hook 'flush' was added more than once", "one hook of a name", o => o.OnStopping("flush", Tick, Nothing).OnDrained("flush", Tick, Nothing) },
    };

    public static TheoryData<string, Action<GracefulOptions>> Good() => new()
    {
        { "the defaults", _ => { } },
        { "the least", o =>
            {
                o.LameDuck = o.QuietPeriod = o.DoubleKickWindow = o.SettleTime = TimeSpan.Zero;
                o.GracePeriod = Tick;
                o.PlatformGracePeriod = Tick;
                o.RecordLimit = 4096;
                o.OnDrained("flush", Tick, Nothing);
            }
        },
        { "the most", o =>
            {
                o.LameDuck = TimeSpan.FromHours(1);
                o.QuietPeriod = o.DoubleKickWindow = TimeSpan.FromMinutes(1);
                o.SettleTime = TimeSpan.FromSeconds(10);
                o.GracePeriod = TimeSpan.FromDays(1);
                o.PlatformGracePeriod = o.IdleLimit = TimeSpan.FromDays(30);
                o.RecordLimit = 1 << 30;
                o.OnDrained("flush", TimeSpan.FromDays(1), Nothing);
            }
        },
        { "the least and no FastCGI limits", o =>
            {
                (o.FastCgi.MaxParamsSize, o.FastCgi.MaxParamsCount, o.FastCgi.ParamsTimeout) = (1024, 1, Tick);
                o.FastCgi.IdleTimeout = Timeout.InfiniteTimeSpan;
            }
        },
        { "the least idle limit", o => (o.IdleLimit, o.TimeProvider) = (TimeSpan.FromMilliseconds(1), new ManualTime()) },
        { "no signal at all", o => o.Signals.Clear() },
        { "signals that are not known here", o => o.Signals["SIGFOO"] = o.Signals["65"] = o.Signals[""] = SignalAction.Stop },
        { "the least and the most exit code", o => (o.ExitCodes.Clean, o.ExitCodes.Failed, o.ExitCodes.TimedOut, o.ExitCodes.Forced) = (255, 0, 255, 0) },
        { "no limit", o => o.GracePeriod = Timeout.InfiniteTimeSpan },
        { "a lame duck without a limit", o => Long(o).LameDuck = TimeSpan.FromHours(1) },
        { "hooks of different names", o => o.OnStopping("a", Tick, Nothing).OnStopping("A", Tick, Nothing).OnDrained("b", Tick, Nothing) },
    };

    [Theory]
    [MemberData(nameof(Bad), DisableDiscoveryEnumeration = true)]
    public async Task What_is_out_of_bounds_fails_the_start_with_name_value_and_bounds(
        string nameAndValue, string allowed, Action<GracefulOptions> configure)
    {
        var error = await Assert.ThrowsAsync<OptionsValidationException>(() => TestApp.StartAsync(configure));
        Assert.Contains(nameAndValue, error.Message, StringComparison.Ordinal);
        Assert.Contains(allowed, error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(Good), DisableDiscoveryEnumeration = true)]
    public async Task What_is_within_bounds_starts(string what, Action<GracefulOptions> configure)
    {
        Assert.NotEmpty(what);
        await using var app = TestApp.Make(configure);
        await app.Host.StartAsync().Soon();
        Assert.False(app.Graceful.IsStopping);
    }

    [Fact]
    public async Task All_that_is_wrong_is_named_at_once()
    {
        var error = await Assert.ThrowsAsync<OptionsValidationException>(() => TestApp.StartAsync(options =>
        {
            options.LameDuck = options.QuietPeriod = options.GracePeriod = options.DoubleKickWindow = options.SettleTime = -TimeSpan.FromSeconds(1);
            options.TimeProvider = null!;
        }));
        Assert.Equal(6, error.Failures.Count());
        foreach (var name in (string[])["LameDuck", "QuietPeriod", "GracePeriod", "DoubleKickWindow", "SettleTime", "TimeProvider"])
        {
            Assert.Contains(error.Failures, failure => failure.StartsWith($"{name} is ", StringComparison.Ordinal));
        }
    }

    [Fact]
    public void A_hook_without_a_name_or_without_work_is_refused_on_the_spot()
    {
        var options = new GracefulOptions();
        Assert.Throws<ArgumentNullException>(() => options.OnStopping(null!, Tick, Nothing));
        Assert.Throws<ArgumentNullException>(() => options.OnDrained("flush", Tick, null!));
    }

    private static GracefulOptions Long(GracefulOptions options)
    {
        options.GracePeriod = Timeout.InfiniteTimeSpan;
        return options;
    }

    private static Task Nothing(StopReason reason, CancellationToken token) => Task.CompletedTask;
}
