namespace Graceful;

/// <summary>Why a server leaves. The first cause wins: whoever asks later joins the stop that is under way.</summary>
/// <param name="Cause">What kind of cause it was.</param>
/// <param name="Signal">The number of the signal; 0 when it was no signal.</param>
/// <param name="Who">The component that failed, or who asked for the stop; null when that is nobody, or was not said.</param>
public readonly record struct StopReason(StopCause Cause, int Signal = 0, string? Who = null)
{
    /// <summary>The reason in words, <c>SIGTERM</c> for instance.</summary>
    /// <returns>A few words without a full stop.</returns>
    public override string ToString() => Cause switch
    {
        StopCause.Signal => Posix.SignalNumber.NameOf(Signal),
        StopCause.Requested => $"request of {Who ?? "the application"}",
        StopCause.HostStopped => "stop of the host",
        StopCause.Idle => "idle limit",
        StopCause.HandedOver => "hand-over",
        StopCause.ConnectionEnded => "end of the served connection",
        StopCause.ComponentFailed => $"failure of {Who}",
        _ => Cause.ToString(),
    };
}
