using Graceful.Core;
using Graceful.Engine;
using Graceful.Tests.Support;

namespace Graceful.Tests.Inside;

/// <summary>How the engine looks whether it is idle, whatever intakes do.</summary>
public sealed class IdleLooks : IDisposable
{
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(10);

    private readonly ManualTime _time = new();
    private readonly LogBook _log = new();
    private readonly LifecycleEngine _engine;
    private readonly PlainIntake _intake = new();

    public IdleLooks()
    {
        _engine = new LifecycleEngine(new GracefulOptions { TimeProvider = _time, IdleLimit = Limit }, _log.CreateLogger("Graceful"));
        _engine.Intakes.TryAdd(_intake);
    }

    public void Dispose()
    {
        _engine.Dispose();
        _log.Dispose();
    }

    [Fact]
    public async Task Nobody_looks_before_the_start_is_over_and_the_limit_is_counted_from_then()
    {
        _time.Advance(2 * Limit);
        await Limits.Until(() => _time.NextDue is null, "a look is due");
        _engine.StartedUp();
        await MustGoOnAsync();
        _time.Advance(Limit);
        await MustLeaveAsync(StopCause.Idle);
    }

    [Fact]
    public async Task The_second_look_waits_until_all_are_paused_and_who_leaves_stays_paused_until_it_is_stopped()
    {
        var (late, pausing) = (new PlainIntake(), new TaskCompletionSource());
        late.Pausing = pausing.Task;
        _engine.Intakes.TryAdd(late);
        await ExpireAsync();
        await Limits.Until(() => (_intake.Pauses, late.Pauses) == (1, 1), "both are to pause");
        await Quiet.LessAsync();
        Assert.False(_engine.IsAskedToStop);
        pausing.SetResult();
        await MustLeaveAsync(StopCause.Idle);
        Assert.Equal((1, 1, 1, 1), (_intake.Pauses, late.Pauses, _intake.Stops, late.Stops));
    }

    [Fact]
    public async Task Who_waits_in_a_queue_calls_it_back()
    {
        _intake.IsAnybodyWaiting = true;
        await ExpireAsync();
        await MustGoOnAsync();
        Assert.Equal(0, _intake.Pauses);

        // The next look is as good as the first.
        _intake.IsAnybodyWaiting = false;
        _time.Advance(Limit);
        await MustLeaveAsync(StopCause.Idle);
    }

    [Fact]
    public async Task Who_came_while_it_paused_calls_it_back()
    {
        var pausing = new TaskCompletionSource();
        _intake.Pausing = pausing.Task;
        await ExpireAsync();
        var newcomer = new PlainConnection(_engine, "newcomer");
        Assert.True(newcomer.TryEnter());
        pausing.SetResult();
        await MustGoOnAsync();
        Assert.Equal(0, _intake.Pauses);
        newcomer.Apply(ConnectionEvent.Ended);
        _time.Advance(Limit);
        await MustLeaveAsync(StopCause.Idle);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task An_intake_that_fails_to_pause_hangs_nothing_and_the_server_goes_on(bool throws)
    {
        _intake.Pausing = throws ? Task.FromException(new InvalidOperationException("as planned")) : new TaskCompletionSource().Task;
        await ExpireAsync();
        await MustGoOnAsync();
        await _log.Until("Whether the server is idle can't be told now");
        Assert.Equal(0, _intake.Pauses);
        _intake.Pausing = Task.CompletedTask;
        _time.Advance(Limit);
        await MustLeaveAsync(StopCause.Idle);
    }

    [Fact]
    public async Task A_signal_while_it_pauses_is_obeyed_and_nobody_is_let_in_before_the_listeners_close()
    {
        _intake.Pausing = new TaskCompletionSource().Task;
        await ExpireAsync();
        await Limits.Until(() => _intake.Pauses == 1, "it is to pause");
        _engine.Stop(Trigger.NewSignal(15));
        await MustLeaveAsync(StopCause.Signal);
        Assert.Equal((1, 1), (_intake.Pauses, _intake.Stops));
    }

    [Fact]
    public async Task A_raw_connection_keeps_it_while_it_is_marked_in_use_and_its_end_is_one_of_use()
    {
        _engine.StartedUp();
        var raw = new PlainConnection(_engine, "raw");
        Assert.True(raw.TryEnter());
        raw.Apply(ConnectionEvent.MarkInUse);
        _time.Advance(Limit);
        await MustGoOnAsync();
        _time.Advance(TimeSpan.FromMinutes(2));
        raw.Apply(ConnectionEvent.MarkIdle);
        _time.Advance(TimeSpan.FromMinutes(8));
        await Limits.Until(() => _time.NextDue == TimeSpan.FromMinutes(2), "it was used until two minutes after the last look");
        raw.Apply(ConnectionEvent.MarkInUse);
        raw.Apply(ConnectionEvent.Ended);
        _time.Advance(TimeSpan.FromMinutes(2));
        await Limits.Until(() => _time.NextDue == TimeSpan.FromMinutes(8), "it was used until it ended");
    }

    private async Task ExpireAsync()
    {
        _engine.StartedUp();
        _time.Advance(Limit);
        await _log.Until("to IdleExpired after");
    }

    private async Task MustGoOnAsync()
    {
        await Limits.Until(() => _time.NextDue == Limit, "the next look is due when the limit may have passed again");
        Assert.False(_engine.IsAskedToStop);
    }

    private async Task MustLeaveAsync(StopCause cause)
    {
        var report = await _engine.Exited.Soon("The end of the way out");
        Assert.Equal((cause, 0), (report.Reason.Cause, report.ExitCode));
    }
}
