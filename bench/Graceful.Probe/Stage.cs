namespace Graceful.Probe;

// How far a run has come. It only ever advances.
internal enum Stage
{
    Load,
    OpenIdle,
    SendSlow,
    Signalled,

    // The server's process is gone: nothing new is begun, what was sent is waited for.
    Gone,

    // The probe gave up waiting: what is still in flight is counted as unanswered.
    Cut,
}
